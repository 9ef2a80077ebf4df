"""The form field for hardware: one machine per line, such as `8 x 80 GB A100`."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.applications.custom_questions import hardware_text
from accounts.web.form_fields import TextField

MAX_ROWS = 20
#: The memory of one accelerator and the number of accelerators, anywhere in the line.
_MEMORY = re.compile(r"(?<![\d.])(\d{1,5})\s*(?:GB|GiB|G)\b", re.IGNORECASE)
_COUNT = re.compile(
    r"(?<![\w.])(\d{1,5})\s*[x×*](?!\s*\d{1,3}\W*$)"  # 8 x …, but not RTX 4090 x 2
    r"|(?<!\w)[x×*]\s*(\d{1,5})\b"  # … x 8
    r"|(?<=\d)[x×*](\d{1,5})\b"  # A100x8
    r"|^(\d{1,5})\s",  # 8 …
    re.IGNORECASE,
)
_MAX_KIND_LENGTH = 80


class HardwareField(TextField):
    """Cleans to a list of {"count", "memory_gb", "kind"}; memory is in GB per accelerator."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea({"rows": 3, "class": "short"}), **kwargs)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        typed = super().clean(hardware_text(value))
        lines = [line.strip() for line in typed.splitlines() if line.strip()]
        if len(lines) > MAX_ROWS:
            raise ValidationError(f"Write at most {MAX_ROWS} lines; there are {len(lines)}.")
        return [_row(number, line) for number, line in enumerate(lines, start=1)]


def _row(number: int, line: str) -> dict[str, Any]:
    """Parse `8 x 80 GB A100`, `A100 80GB x 8`, `8x H100 (80 GB)`, `A100, 80 GB` and the like."""
    memory = _MEMORY.search(line)
    rest = _without(line, memory)
    count = _COUNT.search(rest)
    kind = _without(rest, count).strip(" ,;:/-")
    if memory is None or not kind or len(kind) > _MAX_KIND_LENGTH:
        raise ValidationError(
            f"Line {number} cannot be read. Write number, memory of each and kind, "
            "such as 8 x 80 GB A100."
        )
    number_of = int(next(group for group in count.groups() if group)) if count else 1
    if not number_of or not int(memory[1]):
        raise ValidationError(f"Line {number}: number and memory are at least 1.")
    return {"count": number_of, "memory_gb": int(memory[1]), "kind": kind}


def _without(line: str, match: "re.Match[str] | None") -> str:
    """Return the line without the match and without repeated spaces."""
    if match is None:
        return line
    return " ".join(f"{line[: match.start()]} {line[match.end() :]}".replace("( )", "").split())
