"""Hardware as it is typed: one machine a line, such as `8 x 80 GB A100`."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.extras import hardware_text
from accounts.forms.fields import TextField

MOST_ROWS = 20
_ROW = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})\s*(?:GB|GiB|G)\b\s*(\S.{0,79})", re.IGNORECASE)


class HardwareField(TextField):
    """A list of {"count", "memory_gb", "kind"}; memory is that of one accelerator, in GB."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea({"rows": 3, "class": "short"}), **kwargs)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        typed = super().clean(hardware_text(value))
        lines = [line.strip() for line in typed.splitlines() if line.strip()]
        if len(lines) > MOST_ROWS:
            raise ValidationError(f"Write at most {MOST_ROWS} lines; now there are {len(lines)}.")
        return [_row(number, line) for number, line in enumerate(lines, start=1)]


def _row(number: int, line: str) -> dict[str, Any]:
    found = _ROW.fullmatch(line)
    if found is None:
        raise ValidationError(
            f"Line {number} cannot be read. Write number, memory of each and kind, "
            "such as 8 x 80 GB A100."
        )
    count, memory, kind = int(found[1]), int(found[2]), found[3].strip()
    if not count or not memory:
        raise ValidationError(f"Line {number}: number and memory are at least 1.")
    return {"count": count, "memory_gb": memory, "kind": kind}
