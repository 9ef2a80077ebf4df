"""One line of the evidence strip: plain Python."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a fact speaks; each has its own shape and word beside its colour."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    GREY = "grey"

    @property
    def word(self) -> str:
        return {"green": "good", "amber": "look", "red": "stop", "grey": "neutral"}[self.value]


@dataclass(frozen=True)
class Line:
    """What was looked at, how it speaks, and the fact itself in one short sentence.

    `applicants` are words of the applicant that belong to the fact, such as an address.
    """

    key: str
    level: Level
    label: str
    fact: str
    applicants: str = ""
