"""Checks a README.md before its commit, for `validate-yaml`."""

from typing import NamedTuple

from accounts.users.models import User
from weights.catalogue import front_matter, licences
from weights.errors import PublishRefused
from weights.publishing.drafts import owners


class CardFindings(NamedTuple):
    """Messages for the client: an error aborts its upload, a warning is printed."""

    errors: list[str]
    warnings: list[str]


def check_card(content: str, person: User | None) -> CardFindings:
    """The findings of a README.md that `person` is about to commit.

    The request names no repository, so a licence is an error only if it fits none of the tiers that
    the person is a release owner of. Without a person it is not checked.
    """
    card = front_matter.split(content[: front_matter.READ_BYTES])
    if card.problem:
        return CardFindings([f"The front matter of README.md cannot be read: {card.problem}."], [])
    if not card.values:
        return CardFindings([], ["README.md has no front matter; state licence and tags there."])
    stated = licences.from_card(card.values)
    if not stated:
        return CardFindings([], ["README.md states no licence; write `license: …` at its top."])
    return CardFindings(_licence_errors(stated, person), [])


def _licence_errors(stated: dict[str, str], person: User | None) -> list[str]:
    errors: list[str] = []
    if person is None:
        return errors
    for tier in owners.tiers_of(person).filter(retired_at=None).select_related("licence"):
        try:
            licences.check(tier, stated, licences.named_text(stated))
        except PublishRefused as error:
            errors.append(str(error))
        else:
            return []
    return errors
