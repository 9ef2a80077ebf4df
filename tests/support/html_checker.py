"""Validate pages with the Nu HTML checker, which .ci/tools fetches."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support import tools

#: Findings about markup that is not from our templates, with its origin.
_OF_OTHERS = re.compile(
    "|".join(
        [
            r"A table row was \d columns wide",  # Django's index of models on each page
            "The value of the “for” attribute of the “label” element",  # Django's hidden fields
            "An “input” element with a “type” attribute whose value is “hidden”",  # the same
            "“disabled” not allowed on element “div”",  # Django's password hash widget
            "No “p” element in scope",  # the help text of Django's password field
            "“select” element with a “required” attribute",  # Django's wrapper of related fields
            "Section lacks heading",  # footnotes of a card, as Markdown renders them everywhere
        ]
    )
)


#: Compiling early and once halves the checker's time. Its schema needs the deep stack.
_JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xss2m")


def findings(pages: Mapping[str, bytes], folder: Path) -> list[str]:
    """Errors and warnings for these pages (URL -> HTML), each with its URL and line."""
    names = {f"{number}.html": address for number, address in enumerate(pages)}
    for name, html in zip(names, pages.values(), strict=True):
        (folder / name).write_bytes(html)
    java, jar = tools.find("java"), tools.find("vnu")
    assert java, jar
    command = [java, *_JAVA_OPTIONS, "-jar", jar, "--stdout", "--format", "json"]
    command += ["--no-langdetect"]
    done = subprocess.run(
        [*map(str, command), *names], cwd=folder, capture_output=True, check=False
    )
    return [
        f"{names[Path(one['url']).name]}:{one.get('lastLine')}: {one['message']}"
        for one in json.loads(done.stdout)["messages"]
        if one["type"] != "info" or one.get("subType") == "warning"
        if not _OF_OTHERS.search(one["message"])
    ]
