"""Why an application is returned or rejected, or a grant ended: plain Python, no records.

docs/reviewing.md describes them. Codes are stable; statistics count by them.
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
    OTHER = "other", "Another reason, told in the note"
    UNSPECIFIED = "unspecified", "No reason was given"


#: verdict -> the fewest characters of its note to the applicant.
NOTE_LEAST = {"reject": 20}
NOTE_LEAST_FOR_OTHER = 60
#: How an application is quoted; a duplicate points to the other one so.
REFERENCE = re.compile(r"\bA-\d{4}-\d{5,}\b")


@dataclass(frozen=True)
class Rule:
    """What a reason may be used for, the days to wait, and what the applicant can do."""

    actions: frozenset[str]
    waiting_days: int
    remedy: str


def _rule(actions: str, waiting_days: int, remedy: str) -> Rule:
    return Rule(frozenset(actions.split()), waiting_days, remedy)


RULES: dict[str, Rule] = {
    Reason.IDENTITY_UNVERIFIED: _rule(
        "return reject", 0, "Give a public profile that names you and your work."
    ),
    Reason.AFFILIATION_UNVERIFIED: _rule(
        "return reject", 0, "Use a confirmed address of your organisation."
    ),
    Reason.PURPOSE_UNCLEAR: _rule("return reject", 0, "Say which question and which method."),
    Reason.PLAN_INSUFFICIENT: _rule(
        "return reject", 0, "Say where the weights are kept, who can read them, how they go."
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
    Reason.SPAM: _rule("reject", 90, "You may apply again after the waiting time."),
    Reason.MODEL_WITHDRAWN: _rule("reject revoke", 0, "See the catalogue for other checkpoints."),
    Reason.OTHER: _rule("return reject", 0, "See the note."),
    Reason.UNSPECIFIED: _rule("reject revoke", 0, "Write to the portal's staff."),
}


def allowed_for(action: str) -> list[tuple[str, str]]:
    """Choices (code, label) of the reasons that a person may give for `action`."""
    return [
        (code, Reason(code).label)
        for code, rule in RULES.items()
        if action in rule.actions and code != Reason.UNSPECIFIED
    ]


def waiting_days(codes: Iterable[str]) -> int:
    """The days to wait before applying again: the longest that one of the reasons asks for."""
    return max((RULES[code].waiting_days for code in codes if code in RULES), default=0)


def demand_reasons(verdict: str, codes: list[str], note: str) -> None:
    """Raise InvalidValue unless the reasons and the note fit the verdict."""
    if verdict == "approve":
        return
    if not codes:
        raise InvalidValue("choose at least one reason")
    for code in codes:
        if code not in RULES or verdict not in RULES[code].actions:
            raise InvalidValue(f"the reason {code!r} does not go with {verdict}")
    if codes == [Reason.UNSPECIFIED]:  # set by the Hub's call, whose text may be empty
        return
    least = NOTE_LEAST_FOR_OTHER if Reason.OTHER in codes else NOTE_LEAST.get(verdict, 0)
    if len(note.strip()) < least:
        raise InvalidValue(f"the note to the applicant needs at least {least} characters")
    if Reason.DUPLICATE in codes and not REFERENCE.search(note):
        raise InvalidValue("name the other application in the note, such as A-2026-00042")
