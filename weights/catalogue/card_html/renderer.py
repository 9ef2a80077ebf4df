"""Renders a model card like the Hub, in a child process.

Markdown becomes HTML, which is sanitised, rewritten tag by tag, and sanitised again, so that
nothing after the last pass can add markup.
"""

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.gfm import gfm_plugin

from accounts.web.sanitize import multiline
from weights.catalogue.card_html import code, formulas, sanitiser
from weights.catalogue.card_html.rewriting import Rewriter
from weights.inspection.formats.source import Source


def render_as_json(source: Source, links: str, images: str, top: int) -> dict[str, Any]:
    """The result of `render` for the text in `source`, as the child process returns it."""
    text = source.read(0, source.size).decode("utf-8", "replace")
    return {"html": render(text, links=links, images=images, top=top)}


def render(text: str, *, links: str, images: str, top: int) -> str:
    """Safe HTML of a card without its front matter.

    Relative links resolve against `links` and relative images against `images`, URLs that end in
    a slash. Without `images`, the alternative text replaces images. Headings start at level `top`
    and skip no level.
    """
    html = _PARSER.render(multiline(text))
    html = Rewriter(images, top).rewrite(sanitiser.clean_source(html))
    return multiline(sanitiser.clean_result(html, links=links, images=images))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "highlight": code.highlight})
    parser.use(gfm_plugin)
    parser.core.ruler.push("align_cells", _align_cells)
    return parser.use(
        dollarmath_plugin,
        allow_space=False,
        allow_digits=False,
        allow_blank_lines=False,
        allow_labels=False,
        double_inline=True,
        renderer=formulas.to_mathml,
    )


def _align_cells(state: StateCore) -> None:
    """Moves the alignment to an attribute, since the sanitiser removes styles."""
    for token in state.tokens:
        if token.type in {"th_open", "td_open"} and (style := token.attrs.pop("style", "")):
            token.attrSet("align", str(style).rpartition(":")[2])


_PARSER = _parser()
