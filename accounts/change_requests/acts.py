"""The acts that a second person must confirm. Each capability registers its own at startup."""

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
    """What a request would change, for staff to read. `path` is the object's admin page."""

    sentence: str
    changes: list[Change] = field(default_factory=list)
    path: str = ""


class Act:
    """One kind of change that opens a gate further."""

    name: ClassVar[str]
    title: ClassVar[str]
    #: Roles that may request it, checked again on confirmation.
    requesters: ClassVar[frozenset[Role]]
    #: Roles of which the second person must hold one for every tier concerned.
    confirmers: ClassVar[frozenset[Role]]

    @property
    def readers(self) -> frozenset[Role]:
        """Roles that may read its requests."""
        return self.requesters | self.confirmers | {Role.AUDITOR}

    def describe(self, request: ChangeRequest) -> Description:
        """Return what the request changes, in plain sentences."""
        raise NotImplementedError

    def facts(self, request: ChangeRequest, reader: User) -> list[tuple[str, str]]:
        """Return (label, text) of what the second person needs to judge the request."""
        return []

    def beneficiary(self, request: ChangeRequest) -> User | None:
        """Return the person who gains by the act and so must not confirm it."""
        return None

    def obstacle(self, request: ChangeRequest) -> str:
        """Return why the change can no longer be applied; empty if it can."""
        raise NotImplementedError

    def execute(self, request: ChangeRequest) -> None:
        """Apply the change for its requester, in the confirmation's transaction.

        Raises a DomainError if it cannot be applied; the request is then superseded.
        """
        raise NotImplementedError


_registered: dict[str, Act] = {}


def register(act: Act) -> None:
    _registered[act.name] = act


def act_of(request: ChangeRequest) -> Act:
    return _registered[request.act]


def registered() -> list[Act]:
    """Return every act, ordered by name."""
    return [_registered[name] for name in sorted(_registered)]
