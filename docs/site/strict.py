"""Make the generated pages work under a Content-Security-Policy without inline code and styles."""

import re
from pathlib import Path

_SCRIPT = re.compile(r"<script>\s*document\.body\.dataset\.theme = .*?</script>", flags=re.DOTALL)
_STYLE = re.compile(r"<style>(.*?)</style>", flags=re.DOTALL)
#: Attributes of Furo's icons -> the same without a style.
_ATTRIBUTES = {
    'style="display: none;"': 'width="0" height="0"',
    'style="opacity: 50%"': 'opacity="0.5"',
}
_INLINE = re.compile(r"<script>|<script (?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=|javascript:")


def apply(site: Path) -> None:
    """Move the inline parts of each page into files. Raises SystemExit if one is left."""
    for path in site.rglob("*.html"):
        static = "../" * (len(path.relative_to(site).parts) - 1) + "_static"
        text = path.read_text(encoding="utf-8")
        if style := _STYLE.search(text):
            (site / "_static" / "variables.css").write_text(style[1], encoding="utf-8")
        text = _STYLE.sub(f'<link rel="stylesheet" href="{static}/variables.css">', text, count=1)
        text = _SCRIPT.sub(f'<script src="{static}/start.js"></script>', text)
        for old, new in _ATTRIBUTES.items():
            text = text.replace(old, new)
        tags = re.sub(r">[^<]*<", "><", text)
        if left := _INLINE.search(tags):
            raise SystemExit(f"{path}: {tags[left.start() : left.end() + 80]!r} is inline")
        path.write_text(text, encoding="utf-8")
