"""The Versions tab: history with tombstones, and the comparison of two revisions."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.checkpoint_pages.comparison import Kind, compare, diff_lines
from weights.ledger.models import Download
from weights.publishing import withdrawal
from weights.publishing.models import Ref, Revision

pytestmark = [pytest.mark.one_database, pytest.mark.usefixtures("store")]

REPO = "acme/model"
FIRST = {
    "config.json": b'{"layers": 2}\n',
    "same.bin": b"\0 the same bytes",
    "old name.bin": b"\0 moved bytes",
    "gone.txt": b"gone",
}
SECOND = {
    "config.json": b'{"layers": 3}\n',
    "same.bin": b"\0 the same bytes",
    "new/name.bin": b"\0 moved bytes",
    "fresh.txt": b"fresh!",
}


@pytest.fixture
def revisions(open_tier: Tier) -> tuple[Revision, Revision]:
    return factories.published(REPO, files=FIRST), factories.published(REPO, files=SECOND)


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def test_two_revisions_are_compared_by_path_and_content(
    revisions: tuple[Revision, Revision],
) -> None:
    found = compare(*revisions)
    assert [(change.kind, change.path) for change in found.changes] == [
        (Kind.CHANGED, "config.json"),
        (Kind.ADDED, "fresh.txt"),
        (Kind.REMOVED, "gone.txt"),
        (Kind.MOVED, "new/name.bin"),
    ]
    assert found.changes[3].before is not None
    assert found.changes[3].before.path == "old name.bin"
    assert (found.identical, found.identical_bytes) == (1, len(FIRST["same.bin"]))
    assert found.new_bytes == len(SECOND["config.json"]) + len(SECOND["fresh.txt"])


def test_lines_are_compared_with_their_context() -> None:
    lines = diff_lines("a\nb\nc\n", "a\nB\nc\n")
    assert lines is not None
    assert [(line.kind, line.text) for line in lines[1:]] == [
        ("same", "a"),
        ("gone", "b"),
        ("new", "B"),
        ("same", "c"),
    ]
    assert diff_lines("a\n", "a\r\n") == []
    assert diff_lines("x\n" * 2001, "y\n") is None


def test_the_history_names_message_publisher_refs_and_changes(
    client: Client, revisions: tuple[Revision, Revision], release_owner: User
) -> None:
    first, second = revisions
    Ref.objects.create(checkpoint=first.checkpoint, kind=Ref.Kind.TAG, name="v1/rc", revision=first)
    Revision.objects.filter(pk=second.pk).update(
        message="Correct <b>it</b>\n\nThe width was wrong.", author=release_owner
    )
    page = text(client, f"/{REPO}/commits/main")
    assert page.index(second.sha) < page.index(f'id="{first.sha}"')
    assert "Correct &lt;b&gt;it&lt;/b&gt;" in page
    assert "The width was wrong." in page
    assert release_owner.username in page
    assert f"/{REPO}/compare/{first.sha}...{second.sha}" in page
    assert f'href="/{REPO}/commits/v1%2Frc"' in page
    page = text(client, f"/{REPO}/commits/v1%2Frc")
    assert f'id="{first.sha}"' in page
    assert f'id="{second.sha}"' not in page


def test_a_comparison_shows_changes_and_totals(
    client: Client, revisions: tuple[Revision, Revision]
) -> None:
    first, second = revisions
    page = text(client, f"/{REPO}/compare/{first.sha}...main")
    assert "new/name.bin" in page
    assert "old name.bin" in page
    assert "?path=config.json" in page
    assert "?path=fresh.txt" not in page
    assert "layers" not in page
    page = text(client, f"/{REPO}/compare/{first.sha}...main?path=config.json")
    assert "&quot;layers&quot;: 2" in page
    assert "&quot;layers&quot;: 3" in page
    shown = Download.objects.values_list("revision", "path", "outcome")
    assert set(shown) == {(one.sha, "config.json", "shown") for one in (first, second)}
    assert "same files" in text(client, f"/{REPO}/compare/main...{second.sha}")


def test_the_form_leads_to_the_address_of_the_comparison(
    client: Client, revisions: tuple[Revision, Revision]
) -> None:
    form = {"before": "v1/rc", "after": "main"}
    answer = client.get(f"/{REPO}/compare", form)
    assert answer["Location"] == f"/{REPO}/compare/v1%2Frc...main"
    assert client.get(f"/{REPO}/compare")["Location"] == f"/{REPO}/commits/main"


def test_two_dots_lead_to_the_comparison_too(
    client: Client, revisions: tuple[Revision, Revision]
) -> None:
    answer = client.get(f"/{REPO}/compare/{revisions[0].sha}..v1/rc")
    assert answer["Location"] == f"/{REPO}/compare/{revisions[0].sha}...v1%2Frc"


def test_the_menus_of_the_comparison_name_tags_and_messages(
    client: Client, revisions: tuple[Revision, Revision]
) -> None:
    Revision.objects.filter(pk=revisions[0].pk).update(message="<b>" + "long " * 40 + "\u202e")
    page = text(client, f"/{REPO}/commits/main")
    menu = page.split('<select id="before"')[1].split("</select>")[0]
    assert "&lt;b&gt;long" in menu
    assert "long " * 12 not in menu
    assert revisions[0].sha[:12] in menu
    Ref.objects.create(
        checkpoint=revisions[0].checkpoint, kind="tag", name="v0.9", revision=revisions[0]
    )
    assert "v0.9 · " in text(client, f"/{REPO}/commits/main").split("<select")[1]


def test_the_heading_of_a_comparison_names_revisions_by_message_or_branch(
    client: Client, revisions: tuple[Revision, Revision]
) -> None:
    first = revisions[0]
    Revision.objects.filter(pk=first.pk).update(message="<b>" + "long " * 40 + "\u202e")
    heading = text(client, f"/{REPO}/compare/{first.sha}...main").split("<h2>")[1].split("</h2>")[0]
    assert "“&lt;b&gt;long" in heading
    assert "long " * 12 not in heading
    assert f"<code>{first.sha[:12]}</code>" in heading
    assert "<code>main</code>" in heading


def test_a_withdrawn_revision_stays_as_a_tombstone_and_is_not_compared(
    client: Client, revisions: tuple[Revision, Revision], release_owner: User
) -> None:
    first, second = revisions
    withdrawal.withdraw(second, "It was trained on the wrong split.", by=release_owner)
    third = factories.published(REPO, files=FIRST)
    page = text(client, f"/{REPO}/commits/main")
    assert "It was trained on the wrong split." in page
    assert "Withdrawn" in page
    assert f"compare/{second.sha}" not in page
    assert f"...{second.sha}" not in page
    assert f"compare/{first.sha}...{third.sha}" in page
    answer = client.get(f"/{REPO}/compare/{second.sha}...{third.sha}")
    assert answer.headers["X-Refusal-Code"] == "withdrawn"
    assert "same files" in text(client, f"/{REPO}/compare/{first.sha}...{third.sha}")


def test_gated_lines_are_shown_to_holders_only(
    client: Client, gated_tier: Tier, applicant: User
) -> None:
    for files in (FIRST, SECOND):
        revision = factories.published("acme/gated", tier=gated_tier, files=files)
    assert revision.parent is not None
    address = f"/acme/gated/compare/{revision.parent.sha}...main?path=config.json"
    page = text(client, address)
    assert "layers" not in page
    assert "config.json" in page
    assert not Download.objects.exists()
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    assert "layers" in text(client, address)
    assert Download.objects.filter(grant_id__isnull=False).count() == 2


@pytest.mark.parametrize("place", ["commits/main", "compare/main...main", "issues"])
def test_private_embargoed_and_unknown_look_the_same(
    client: Client, open_tier: Tier, place: str
) -> None:
    factories.published("acme/private", private=True)
    factories.published("acme/later", embargo_until=timezone.now() + timedelta(days=1))
    bodies = set()
    for name in ("private", "later", "missing"):
        answer = client.get(f"/acme/{name}/{place}")
        assert answer.status_code == 404
        bodies.add(answer.content.decode().replace(answer["X-Request-Id"], ""))
    assert len(bodies) == 1


@pytest.mark.parametrize(
    "place",
    [
        *("commits/nope", "commits/{pending}", "commits/a\x00b", "compare/main...nope"),
        *("compare/{pending}...main", "compare/main", "compare/main...main...main"),
        "compare/...main",
    ],
)
def test_unknown_and_pending_revisions_are_404(
    client: Client, revisions: tuple[Revision, Revision], place: str
) -> None:
    pending = "c" * 40
    revisions[1].checkpoint.revisions.create(
        sha=pending, manifest_sha256="d" * 64, parent=revisions[1], message="secret plan"
    )
    assert client.get(f"/{REPO}/{place.format(pending=pending)}").status_code == 404
    assert "secret plan" not in text(client, f"/{REPO}/commits/main")


@pytest.mark.slow
def test_queries_do_not_grow_with_revisions_and_files(client: Client, open_tier: Tier) -> None:
    counts = []
    for number in range(2):
        for step in range(1 + 6 * number):
            files = {f"{n}-{step}.txt": b"%d" % n for n in range(1 + 30 * number)}
            revision = factories.published(f"acme/m{number}", files=files)
        assert number == 0 or revision.parent is not None
        parent = revision.parent.sha if revision.parent else revision.sha
        for place in ("commits/main", f"compare/{parent}...main", "issues"):
            text(client, f"/acme/m{number}/{place}")
            with CaptureQueriesContext(connection) as found:
                text(client, f"/acme/m{number}/{place}")
            counts.append(len(found))
    assert all(large <= small for small, large in zip(counts[:3], counts[3:], strict=True))
    assert max(counts) <= 12
