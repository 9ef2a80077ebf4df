"""Names the column in each cell of the admin's lists, for rows shown as cards."""

from collections.abc import Iterable, Iterator
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_EMPTY = (">-</td>", "></td>", ">&nbsp;</td>")


@register.filter
def labelled(row: Iterable[SafeString], headers: list[dict[str, Any]]) -> Iterator[SafeString]:
    """Yield the cells of a row with the column's name as `data-label`; mark empty ones.

    The first cell that links to the record is a `th` and needs no name.
    """
    for cell, header in zip(row, headers, strict=False):
        markup = str(cell)
        name, is_link = header["text"], markup.startswith("<th")
        if is_link or 'class="action-checkbox"' in markup:
            yield cell
        elif markup.endswith(_EMPTY):
            marked = markup.replace('class="', 'class="is-empty ', 1)
            yield mark_safe(marked)  # noqa: S308 - Django's own markup  # nosec B308 B703
        else:
            label = format_html('<td data-label="{}"', str(name).capitalize())
            marked = markup.replace("<td", label, 1)
            yield mark_safe(marked)  # noqa: S308 - Django's own markup  # nosec B308 B703
