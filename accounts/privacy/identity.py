"""The texts that identify a person, and their removal from other texts."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, quote_plus

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount

from accounts.applications.models import ApplicationSnapshot
from accounts.mail.models import OutgoingMail
from accounts.users.models import User

#: Shorter texts occur in many words and identify nobody.
MIN_LENGTH = 2
#: An ORCID iD has 19 characters. Some sites number their accounts, and a six-digit number can mean
#: anything.
MIN_ID_LENGTH = 15
#: Questions whose answers identify the applicant.
_ANSWERS = ("full_name", "work_email", "profile_url")


@dataclass(frozen=True)
class Identity:
    """The identifiers of one person.

    `verified` are confirmed addresses and ids at other sites: nobody else has them, so a text that
    contains one is about this person. `stated` are username, names and unconfirmed addresses:
    anybody can choose them, so they are removed only from texts known to concern the person.
    Otherwise an account named "leak" could remove that word from everybody's records.
    """

    verified: tuple[str, ...]
    stated: tuple[str, ...]

    @classmethod
    def of(cls, person: User) -> "Identity":
        addresses = EmailAddress.objects.filter(user=person)
        verified = [*addresses.filter(verified=True).values_list("email", flat=True)]
        ids = SocialAccount.objects.filter(user=person).values_list("uid", flat=True)
        verified += [uid for uid in ids if len(uid) >= MIN_ID_LENGTH]
        names = [person.get_full_name(), person.last_name, person.first_name, person.username]
        stated = [*names, person.email, *addresses.values_list("email", flat=True)]
        for answers in _answers(person):
            stated += [str(answers.get(key) or "") for key in _ANSWERS]
        return cls(_unique(verified), _unique(stated))

    @property
    def all(self) -> tuple[str, ...]:
        return _unique([*self.verified, *self.stated])

    def concerns(self, *texts: str) -> bool:
        """True if a verified identifier occurs in one of the texts."""
        return any(self._verified.search(text) for text in texts)

    def equals(self, value: Any) -> bool:
        """True if the value is a single identifier."""
        return isinstance(value, str) and bool(self._all.fullmatch(value))

    def remove_from(self, value: Any) -> Any:
        """Replace every identifier in a text, or in the texts of a JSON value."""
        if isinstance(value, str):
            return self._all.sub(OutgoingMail.REMOVED, value)
        if isinstance(value, dict):
            return {self.remove_from(key): self.remove_from(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.remove_from(inner) for inner in value]
        return value

    @cached_property
    def _verified(self) -> re.Pattern[str]:
        return _pattern(self.verified)

    @cached_property
    def _all(self) -> re.Pattern[str]:
        return _pattern(self.all)


def _answers(person: User) -> Iterable[dict[str, Any]]:
    """Yield the answers of every draft and submission."""
    yield from person.applications.values_list("answers", flat=True)
    snapshots = ApplicationSnapshot.objects.filter(application__applicant=person)
    yield from snapshots.values_list("answers", flat=True)


def _unique(texts: list[str]) -> tuple[str, ...]:
    """Return the distinct texts, long ones first, so that a name is replaced before its parts."""
    distinct = {text.strip() for text in texts if len(text.strip()) >= MIN_LENGTH}
    return tuple(sorted(distinct, key=lambda text: (-len(text), text)))


def spellings(text: str) -> list[str]:
    """Return the text, and its spellings in URLs and JSON."""
    in_url = (quote(text), quote(text, safe=""), quote_plus(text))
    return list(dict.fromkeys([text, *in_url, json.dumps(text)[1:-1]]))


def _pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for the texts as whole words in any case; without texts it never matches."""
    words = [re.escape(spelling) for text in texts for spelling in spellings(text)]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)" if words else r"(?!)", re.IGNORECASE)
