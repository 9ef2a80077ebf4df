"""The people of a chaos run, created inside the install (`manage.py shell`)."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from tests.support.servers.install import Install

TIER = "opt-175b"
OPEN, GATED = "chaos/open", "chaos/gated"


@dataclass(frozen=True)
class Person:
    """A person and their API token; reviewers have none and use the password."""

    name: str
    token: str


@dataclass(frozen=True)
class Cast:
    """All people, by role."""

    reviewers: list[Person]
    applicants: list[Person]
    #: They have access during the whole run.
    readers: list[Person]
    #: Their access is revoked during the run, one after another.
    holders: list[Person]
    #: Has an account and no access.
    stranger: Person
    #: A holder whose token may not read gated checkpoints.
    narrow: Person


def engage(install: Install, *, applicants: int, holders: int) -> Cast:
    """Create all people in the install's database."""
    code = f"from tests.chaos import cast; cast.make({applicants}, {holders})"
    done = install.manage("shell", "-v0", "-c", code)
    assert done.returncode == 0, done.stderr
    created: dict[str, Any] = json.loads(done.stdout)
    people = {role: [Person(*one) for one in ones] for role, ones in created.items()}
    (stranger,), (narrow,) = people.pop("stranger"), people.pop("narrow")
    return Cast(**people, stranger=stranger, narrow=narrow)


def make(applicants: int, holders: int) -> None:
    """Create the people and print them as JSON. Runs inside the install."""
    from django.db import transaction

    with transaction.atomic():
        _make(applicants, holders)


def _make(applicants: int, holders: int) -> None:
    from accounts.roles.permissions import Role
    from tests.support import factories

    tier = factories.tier(TIER)
    made: dict[str, list[tuple[str, str]]] = {
        "reviewers": [
            (factories.staff(name, Role.REVIEWER).username, "") for name in ("rita", "rolf")
        ],
        "applicants": [_person(f"applicant-{n}", "read-gated") for n in range(applicants)],
        "readers": [_person(f"reader-{n}", "read-gated", holds=tier) for n in range(4)],
        "holders": [_person(f"holder-{n}", "read-gated", holds=tier) for n in range(holders)],
        "stranger": [_person("stranger", "read-gated")],
        "narrow": [_person("narrow", "read", holds=tier)],
    }
    json.dump(made, sys.stdout)


def _person(name: str, scope: str, holds: Any = None) -> tuple[str, str]:
    """Create a person without a password, because hashing hundreds of passwords is slow."""
    from allauth.account.models import EmailAddress

    from accounts.users.models import User
    from tests.support import factories

    address = f"{name}@example.org"
    user = User.objects.create_user(name, address)
    EmailAddress.objects.create(user=user, email=address, primary=True, verified=True)
    if holds is not None:
        factories.grant(user, holds)
    return name, factories.token(user, scope)
