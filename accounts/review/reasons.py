"""The reason codes of returns, rejections and ended grants. Plain Python, no database.

docs/reviewing.md describes them. Codes never change, because statistics count by them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models

from accounts.errors import InvalidValue


class Reason(models.TextChoices):
    IDENTITY_UNVERIFIED = "identity_unverified", "Your identity could not be verified"
    AFFILIATION_UNVERIFIED = "affiliation_unverified", "Your affiliation could not be verified"
    PURPOSE_UNCLEAR = "purpose_unclear", "The purpose is not clear enough"
    PLAN_INSUFFICIENT = "plan_insufficient", "The storage and deletion plan is not sufficient"
    INCOMPLETE = "incomplete", "Something is missing"
    HARDWARE_NOTE = "hardware_note", "A note on the hardware"
    COMMERCIAL_USE = "commercial_use", "The licence excludes commercial use"
    PROHIBITED_USE = "prohibited_use", "The licence prohibits this use"
    JURISDICTION = "jurisdiction", "The licence excludes your country of work"
    NO_AUTHORITY = "no_authority", "Your authority to accept for your organisation is unclear"
    DUPLICATE = "duplicate", "Another application asks for the same"
    PRIOR_BREACH = "prior_breach", "Earlier terms were broken"
    LEAK = "leak", "Weights were passed on"
    SPAM = "spam", "This is not a research application"
    MODEL_WITHDRAWN = "model_withdrawn", "The model is no longer offered"
    OTHER = "other", "Another reason, given in the note"
    UNSPECIFIED = "unspecified", "No reason was given"


#: verdict -> minimum length of its note to the applicant, in characters.
MIN_NOTE_LENGTH = {"reject": 20}
MIN_NOTE_LENGTH_OTHER = 60
#: The reference of an application; the note on a duplicate must name one.
REFERENCE = re.compile(r"\bA-\d{4}-\d{5,}\b")


@dataclass(frozen=True)
class Rule:
    """The actions that a reason applies to, the days to wait, and what the applicant can do."""

    actions: frozenset[str]
    waiting_days: int
    remedy: str
    is_appealable: bool = True


def _rule(actions: str, waiting_days: int, remedy: str, *, is_appealable: bool = True) -> Rule:
    return Rule(frozenset(actions.split()), waiting_days, remedy, is_appealable)


RULES: dict[str, Rule] = {
    Reason.IDENTITY_UNVERIFIED: _rule(
        "return reject", 0, "Add a public profile that names you and your work."
    ),
    Reason.AFFILIATION_UNVERIFIED: _rule(
        "return reject", 0, "Use a confirmed address of your organisation."
    ),
    Reason.PURPOSE_UNCLEAR: _rule(
        "return reject", 0, "State the research question and the method."
    ),
    Reason.PLAN_INSUFFICIENT: _rule(
        "return reject",
        0,
        "State where the weights are stored, who can read them and how they are deleted.",
    ),
    Reason.INCOMPLETE: _rule("return", 0, "Complete the answers that the note names."),
    Reason.HARDWARE_NOTE: _rule("return", 0, "Advice only: see the note."),
    Reason.COMMERCIAL_USE: _rule("reject", 30, "Apply again with a non-commercial project."),
    Reason.PROHIBITED_USE: _rule("reject revoke", 180, "Read the licence's prohibited uses."),
    Reason.JURISDICTION: _rule("reject", 0, "Apply again when your circumstances change."),
    Reason.NO_AUTHORITY: _rule(
        "return reject", 0, "Ask someone who may accept the licence for your organisation."
    ),
    Reason.DUPLICATE: _rule("reject", 0, "Follow the other application, which the note names."),
    Reason.PRIOR_BREACH: _rule("reject revoke", 365, "You may apply again after the waiting time."),
    Reason.LEAK: _rule("suspend revoke", 365, "You may apply again after the waiting time."),
    Reason.SPAM: _rule(
        "reject", 90, "You may apply again after the waiting time.", is_appealable=False
    ),
    Reason.MODEL_WITHDRAWN: _rule("reject revoke", 0, "See the catalogue for other checkpoints."),
    Reason.OTHER: _rule("return reject", 0, "See the note."),
    Reason.UNSPECIFIED: _rule("reject revoke", 0, "Write to the portal's staff."),
}


def choices_for(action: str) -> list[tuple[str, str]]:
    """Return form choices (code, label) of the reasons for `action`."""
    return [
        (code, Reason(code).label)
        for code, rule in RULES.items()
        if action in rule.actions and code != Reason.UNSPECIFIED
    ]


def waiting_days(codes: Iterable[str]) -> int:
    """Return the days to wait before applying again: the longest of these reasons."""
    return max((RULES[code].waiting_days for code in codes if code in RULES), default=0)


def is_appealable(codes: Iterable[str]) -> bool:
    """True if a rejection for these reasons can be appealed."""
    return all(RULES[code].is_appealable for code in codes if code in RULES)


def validate_reasons(verdict: str, codes: list[str], note: str) -> None:
    """Raise InvalidValue unless the reasons and the note fit the verdict."""
    if verdict == "approve":
        return
    if not codes:
        raise InvalidValue("choose at least one reason")
    for code in codes:
        if code not in RULES or verdict not in RULES[code].actions:
            raise InvalidValue(f"the reason {code!r} does not fit {verdict}")
    if codes == [Reason.UNSPECIFIED]:  # set by the Hub API, whose text may be empty
        return
    minimum = MIN_NOTE_LENGTH_OTHER if Reason.OTHER in codes else MIN_NOTE_LENGTH.get(verdict, 0)
    if len(note.strip()) < minimum:
        raise InvalidValue(f"the note to the applicant needs at least {minimum} characters")
    if Reason.DUPLICATE in codes and not REFERENCE.search(note):
        raise InvalidValue("name the other application in the note, such as A-2026-00042")
