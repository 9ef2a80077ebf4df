"""The findings of all checks, each with what to do next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.error import URLError

from accounts.background.outages import DATABASE_ERRORS, outage_message


@dataclass(frozen=True)
class Finding:
    """One line: a part of the install, and a sentence about it."""

    name: str
    state: Literal["ok", "warning", "fault"]
    text: str


Check = Callable[[], Iterator[Finding]]


def ok(name: str, text: str) -> Finding:
    return Finding(name, "ok", text)


def warning(name: str, text: str) -> Finding:
    return Finding(name, "warning", text)


def fault(name: str, text: str) -> Finding:
    return Finding(name, "fault", text)


def judged(name: str, state: str, text: str) -> Finding:
    """A result of `portal.health`, whose states are ok, late and alarm."""
    return {"ok": ok, "late": warning, "alarm": fault}[state](name, text)


def run(checks: dict[str, Check]) -> Iterator[Finding]:
    """Yield the findings of every check; an error in a check is a fault."""
    for name, check in checks.items():
        try:
            yield from check()
        except Exception as error:
            yield fault(name, reason(error))


def network_reason(error: OSError) -> str:
    """Only the reason, such as `Connection refused`, without numbers and Python names."""
    cause = error.reason if type(error) is URLError else error
    message = getattr(cause, "strerror", None)
    return message if message and isinstance(message, str) else reason(error)


def with_remedy(cause: str, remedy: str) -> str:
    """The cause, which may end with a full stop, and what to do next."""
    return f"{cause.removesuffix('.')}; {remedy}"


def reason(error: BaseException) -> str:
    """The error on one line of at most 300 characters; its class if it has no text."""
    text = " ".join(str(error).split()) or type(error).__name__
    return (outage_message(error) if isinstance(error, DATABASE_ERRORS) else text)[:300]
