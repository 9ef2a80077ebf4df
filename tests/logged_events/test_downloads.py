"""Required logging of downloads: each served one, and refusals of authenticated callers."""

import pytest

from tests.logged_events import causes
from tests.logged_events.world import PATH, REPO, Cause, World
from tests.support import factories
from weights.delivery import file_links
from weights.gate.caller import session_caller
from weights.ledger.models import Download

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("store"),
    pytest.mark.one_database,
]


def test_a_link_that_was_used_is_logged_with_file_bytes_range_and_result(world: World) -> None:
    world.granted()
    address = file_links.issue(session_caller(world.applicant), REPO, "main", PATH)
    response = world.client.get(address, headers={"Range": "bytes=10-19"})
    assert response.status_code == 206
    b"".join(response.streaming_content)  # type: ignore[attr-defined]
    row = Download.objects.get()
    assert (row.path, row.start, row.length, row.outcome) == (PATH, 10, 10, "served")
    assert row.credential_kind
    assert row.user_id == world.applicant.pk


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (lambda world: None, "no_application"),
        (World.submitted, "in_review"),
        (causes.rejects, "rejected"),
        (lambda world: factories.expired_grant(world.applicant, world.tier), "grant_expired"),
        (causes.revokes, "revoked"),
        (causes.closes_the_file, "file_quarantined"),
    ],
)
def test_a_refusal_of_a_known_caller_is_logged_with_its_rule(
    world: World, cause: Cause, code: str
) -> None:
    cause(world)
    assert world.fetch(world.token("read", "read-gated")) == 403
    row = Download.objects.get()
    assert (row.outcome, row.code, row.path) == ("refused", code, PATH)
