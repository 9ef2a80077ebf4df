"""Every kind of caller of one gated checkpoint, with all credentials."""

import secrets
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from http.cookies import SimpleCookie

from django.conf import settings as portal_settings
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone

from accounts.applications.workflow import claims, decisions
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.delivery import signed_claims
from weights.delivery.models import CheckpointLink
from weights.publishing.models import File, Revision

REPO, PATH = "acme/weights", "model.safetensors"
SECRET = b"the bytes that only the approved may have: " + secrets.token_hex(16).encode()
FILES = {
    "README.md": b"---\nlicense: other\n---\n# A gated model\n",
    "config.json": b'{"secret": "%s"}\n' % SECRET,
    PATH: SECRET * 64,
}
CALLERS = ["anonymous", "pending", "rejected", "approved", "expired", "revoked"]
STRANGERS = [name for name in CALLERS if name != "approved"]


@dataclass
class Person:
    """A caller with every possible credential."""

    name: str
    user: User | None
    grant: Grant | None
    token: str
    link: str

    @cached_property
    def cookies(self) -> SimpleCookie:
        """The cookies of a browser session of this person."""
        assert self.user is not None
        client = Client()
        client.force_login(self.user)
        return client.cookies

    @property
    def checkpoint_link(self) -> CheckpointLink | None:
        return CheckpointLink.objects.filter(holder=self.user).first()


@dataclass
class World:
    revision: Revision
    people: dict[str, Person]
    #: Name of the caller -> values for each route parameter.
    parameters: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def tier(self) -> Tier:
        return self.revision.checkpoint.tier

    @property
    def file(self) -> File:
        return self.revision.files.get(path=PATH)


def make_pending(user: User, tier: Tier) -> None:
    factories.submitted(user, tier)


def make_rejected(user: User, tier: Tier) -> None:
    application = factories.submitted(user, tier)
    reviewer = factories.staff(factories.word(), Role.REVIEWER)
    claims.claim(application, by=reviewer)
    decisions.reject(
        application, by=reviewer, reasons=["purpose_unclear"], note="Say which question and how."
    )


def make_expired(user: User, tier: Tier) -> None:
    factories.expired_grant(user, tier)


def make_revoked(user: User, tier: Tier) -> None:
    lifecycle.revoke(factories.grant(user, tier), by=None, reason="leak")


MAKE: dict[str, Callable[[User, Tier], object]] = {
    "pending": make_pending,
    "rejected": make_rejected,
    "approved": factories.grant,
    "expired": make_expired,
    "revoked": make_revoked,
}


def person(name: str, tier: Tier, revision: Revision) -> Person:
    """A caller of the kind `name` with a token and a genuine, unexpired checkpoint link."""
    if name == "anonymous":
        return Person(name, None, None, "", "A" * 22 + ".9999999999.t1." + "A" * 43)
    user = factories.person(name)
    MAKE[name](user, tier)
    grant = Grant.objects.filter(user=user).first()
    token = factories.token(user, "read-gated")
    return Person(name, user, grant, token, factories.link_token(user, revision, grant))


def file_query(world: World, caller: Person) -> str:
    """The query of a genuine file link for the caller's grant."""
    grant = str(caller.grant.pk) if caller.grant else "open"
    ends = int((timezone.now() + timedelta(minutes=15)).timestamp())
    claim = signed_claims.FileClaim(world.file.pk, world.file.sha256, grant, ends)
    return factories.signed_query(claim, portal_settings.LINK_KEYS)


@dataclass(frozen=True)
class Answer:
    """A response whose body has been read."""

    response: HttpResponseBase
    body: bytes

    @property
    def holds_the_secret(self) -> bool:
        return SECRET in self.body


def ask(caller: Person, credential: str, method: str, address: str, **headers: str) -> Answer:
    """Send one request and roll back its changes."""
    client = shared_client()
    client.cookies = copy(caller.cookies) if credential == "session" else SimpleCookie()
    if credential == "token":
        headers["Authorization"] = f"Bearer {caller.token}"
    with transaction.atomic():
        response = client.generic(method, address, headers=headers)
        body = b"".join(response) if response.streaming else response.content
        transaction.set_rollback(True)
    return Answer(response, body)


@cache
def shared_client() -> Client:
    """One client for all requests, since each client loads the middleware."""
    return Client()


def credentials(caller: Person) -> list[str]:
    return ["session", "token"] if caller.user else ["none"]
