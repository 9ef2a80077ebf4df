"""The acts that wait for a second person. Each capability registers its own at start."""

from dataclasses import dataclass, field
from typing import ClassVar

from accounts.change_requests.models import ChangeRequest
from accounts.roles.permissions import Role
from accounts.users.models import User


@dataclass(frozen=True)
class Change:
    """One changed value, as texts for display."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Description:
    """What a request would change, for staff who may read it. `path` is the object's admin page."""

    sentence: str
    changes: list[Change] = field(default_factory=list)
    path: str = ""


class Act:
    """One kind of change that opens a gate further."""

    name: ClassVar[str]
    title: ClassVar[str]
    #: Roles that request it, checked again when it is confirmed.
    requesters: ClassVar[frozenset[Role]]
    #: Roles of which the second person holds one for every tier concerned.
    confirmers: ClassVar[frozenset[Role]]

    @property
    def readers(self) -> frozenset[Role]:
        """Roles that see its requests."""
        return self.requesters | self.confirmers | {Role.AUDITOR}

    def describe(self, request: ChangeRequest) -> Description:
        """Return what the request changes, in plain sentences."""
        raise NotImplementedError

    def facts(self, request: ChangeRequest, reader: User) -> list[tuple[str, str]]:
        """Return what the second person needs to judge the request, as label and text."""
        return []

    def beneficiary(self, request: ChangeRequest) -> User | None:
        """Return the person who gains by the act and so does not confirm it."""
        return None

    def obstacle(self, request: ChangeRequest) -> str:
        """Return why the change no longer applies to the present state; empty if it applies."""
        raise NotImplementedError

    def execute(self, request: ChangeRequest) -> None:
        """Apply the change for its requester, in the transaction of the confirmation.

        Raises a DomainError if it cannot be applied; the request is then superseded.
        """
        raise NotImplementedError


_registered: dict[str, Act] = {}


def register(act: Act) -> None:
    _registered[act.name] = act


def act_of(request: ChangeRequest) -> Act:
    return _registered[request.act]


def registered() -> list[Act]:
    """Return every act, in the order of their names."""
    return [_registered[name] for name in sorted(_registered)]
