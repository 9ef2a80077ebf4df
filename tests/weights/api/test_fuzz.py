"""Input that the API's document allows, and much that it does not, from every kind of caller."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.applications.documents import services
from accounts.applications.models.form import Question
from accounts.applications.workflow import submission
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.documents.pdfs import HARMLESS
from tests.support import factories
from tests.support.http.fuzzing import examples
from weights.delivery.models import CheckpointLink

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.slow]


@schemathesis.serializer("application/pdf")
def as_it_is(context: Any, value: Any) -> Any:
    """A body of bytes, right or wrong."""
    return value if isinstance(value, bytes) else str(value).encode()


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CALLERS = ["nobody", "read", "read-gated", "write", "admin"]
MODES = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@dataclass
class World:
    """The API over some records, and for each name of a parameter what is true of them."""

    schema: Any
    user: User
    known: Mapping[str, list[Any]]

    def headers(self, caller: str) -> dict[str, str]:
        if caller == "nobody":
            return {}
        return {"Authorization": f"Bearer {factories.token(self.user, caller)}"}


@pytest.fixture
def application() -> Iterator[WSGIHandler]:
    """The portal as a web server calls it, on the connection of this test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield WSGIHandler()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(
    store: Path, gated_tier: Tier, settings: Settings, request: pytest.FixtureRequest
) -> World:
    """A person with every role and something of everything."""
    settings.MIDDLEWARE = [
        one for one in settings.MIDDLEWARE if not one.endswith("RateLimitMiddleware")
    ]
    user = factories.staff("everybody", Role.ADMINISTRATOR)
    revision = factories.published("acme/gated", gated_tier)
    factories.published("acme/open")
    grant = factories.grant(user, gated_tier)
    link = CheckpointLink.objects.create(
        holder=user, checkpoint=revision.checkpoint, cause=CheckpointLink.Cause.REQUEST
    )
    other = factories.tier("other")
    Question.objects.create(tier=other, key="approval", label="Approval", kind="file")
    draft = submission.start(user, other)
    document = services.attach(draft, "extra_approval", "a.pdf", HARMLESS["a blank page"], by=user)
    application = request.getfixturevalue("application")  # not before the settings are changed
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    known: dict[str, list[Any]] = {
        "public_id": [
            *(str(draft.public_id), str(link.public_id), str(grant.public_id)),
            str(document.public_id),
        ],
        "org": ["acme"],
        "name": ["gated", "open"],
        "repo": ["acme/gated", "acme/open"],
        "revision": ["main", revision.sha],
        "path": ["config.json"],
        "sha256": [revision.files.all()[0].sha256],
        "slug": [gated_tier.slug],
        "tier": [gated_tier.slug, other.slug],
        "code": ["quota"],
        "question": ["extra_approval"],
        "seen_version": [draft.answers_version],
    }
    return World(schema, user, known)


def filled(drawn: Case, choose: st.DataObject, known: Mapping[str, list[Any]]) -> Case:
    """The case with some of its names replaced by existing ones, so that it gets further."""
    body = drawn.body if isinstance(drawn.body, dict) else {}
    for part in (drawn.path_parameters, drawn.query, body):
        for name in sorted(set(part or {}) & set(known)):
            if choose.draw(st.booleans()):
                part[name] = choose.draw(st.sampled_from(known[name]))
    return drawn


@pytest.mark.requirement("HT-6", "HT-9")
def test_every_operation_answers_as_its_document_says(world: World) -> None:
    callers = {caller: world.headers(caller) for caller in CALLERS}

    def ask(choose: st.DataObject) -> None:
        headers = callers[choose.draw(st.sampled_from(CALLERS))]
        drawn = choose.draw(operation.as_strategy(generation_mode=choose.draw(MODES)))
        filled(drawn, choose, world.known).call_and_validate(headers=headers, checks=CHECKS)

    for found in world.schema.get_all_operations():
        operation = found.ok()
        examples(8)(given(st.data())(ask))()
