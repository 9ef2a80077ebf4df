"""What an operation declares: its methods, its answer, and the problems it may answer with."""

from typing import Any

from weights.api.schemas import Problem

#: What a body may be refused with before anything looks at what it says.
BODY = (400, 413, 415, 422)
#: Every question is answered to HEAD too.
READ = ["GET", "HEAD"]


def answers(told: Any, *problems: int, status: int = 200) -> dict[int, Any]:
    """The responses of an operation; a bad token, a limit or a failure may refuse any of them."""
    return {status: told, **dict.fromkeys(sorted({*problems, 401, 403, 429, 503}), Problem)}
