"""Images and relative links of a card that name files which the revision lacks."""

import re
from collections.abc import Iterator
from itertools import accumulate

from weights.catalogue.card_html.rewriting import path_in_revision
from weights.publishing.lint.finding import WARNING, Finding, Listed, finding, named

_CODE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
#: The address of `[text](address)`, of `![text](address)`, and of HTML's `src` and `href`.
_MARKDOWN = re.compile(r"\]\(\s*<?([^\s<>()\"']{1,1000})")
_HTML = re.compile(r"<(?:a|img)\s[^<>]{0,1000}?\b(?:src|href)=[\"']?([^\"'\s<>]{1,1000})")


def check(text: str, files: dict[str, Listed]) -> Iterator[Finding]:
    """A finding if the text, a card without its front matter, names missing files."""
    plain = _CODE.sub(" ", text)
    addresses = [*_MARKDOWN.findall(plain), *_HTML.findall(plain)]
    paths = {path for address in addresses if (path := path_in_revision(address))}
    missing = sorted(paths - files.keys() - _folders(files))
    if missing:
        sentence = (
            f"README.md shows or links files that are missing: {named(missing, len(missing))}."
        )
        yield finding("card_names_missing_file", WARNING, sentence, missing)


def _folders(files: dict[str, Listed]) -> set[str]:
    return {
        folder
        for path in files
        for folder in accumulate(path.split("/")[:-1], lambda parent, name: f"{parent}/{name}")
    }
