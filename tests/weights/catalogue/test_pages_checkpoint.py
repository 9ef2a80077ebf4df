"""A checkpoint's page: card, facts, Get it panel."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.applications.workflow import decisions
from accounts.grants import lifecycle
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue import opt_family
from weights.catalogue.models import Checkpoint
from weights.publishing.models import Revision

pytestmark = pytest.mark.one_database

CARD = """---
license: other
language: [en]
tags: [tiny, "<b>bold</b>"]
---
# Title

Text with <script>alert(1)</script> and <b onclick="x()">markup</b>,
a [link](javascript:alert(1)), [files](config.json) and ![a picture](http://elsewhere.example/x.png).

### Deep heading
"""


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def gated(gated_tier: Tier, store: Path) -> Revision:
    return factories.published("acme/gated", tier=gated_tier)


def test_an_open_checkpoint_gives_its_commands_to_anyone(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/open")
    page = text(client, "/acme/open")
    assert "No account and no token are needed" in page
    assert "hf download acme/open" in page
    assert "/acme/open/resolve/main/model.safetensors" in page
    assert "HF_TOKEN" not in page


def test_transformers_is_offered_only_where_there_is_a_configuration(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/with")
    factories.published("acme/without", files={"weights.pt": b"x" * 50})
    assert "from_pretrained" in text(client, "/acme/with")
    assert "from_pretrained" not in text(client, "/acme/without")


def test_a_visitor_is_invited_to_sign_in_and_apply(client: Client, gated: Revision) -> None:
    page = text(client, "/acme/gated")
    assert "Sign in" in page
    assert 'href="/apply/opt-175b/"' in page
    assert "export HF_TOKEN=" in page


@pytest.mark.slow
def test_the_checklist_follows_the_application(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User, reviewer: User
) -> None:
    client.force_login(applicant)
    assert "Apply for access" in text(client, "/acme/gated")
    application = factories.submitted(applicant, gated_tier)
    assert "Application in review" in text(client, "/acme/gated")
    decisions.approve(application, by=reviewer, confirmed=True)
    page = text(client, "/acme/gated")
    assert "Access granted" in page
    assert "Token with the scope read-gated" in page
    factories.token(applicant, "read-gated")
    assert "Token for scripts" in text(client, "/acme/gated")
    lifecycle.revoke(applicant.grants.get(), by=None, reason="a test")
    assert "Access was revoked" in text(client, "/acme/gated")


def test_an_entry_without_weights_shows_its_facts_and_says_so(client: Client, db: None) -> None:
    opt_family.load()
    page = text(client, "/facebook/opt-175b")
    assert "174,604,468,224" in page
    assert "not published here" in page
    assert "hf download" not in page


def test_a_synthetic_checkpoint_says_so_on_every_page_of_its_own(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/made-up", synthetic=True)
    for place in ("", "/tree/main", "/blob/main/config.json"):
        assert "Synthetic checkpoint." in text(client, f"/acme/made-up{place}")


@pytest.mark.parametrize("place", ["", "/tree/main", "/blob/main/config.json"])
def test_private_embargoed_and_unknown_look_the_same(
    client: Client, open_tier: Tier, store: Path, place: str
) -> None:
    factories.published("acme/private", private=True)
    factories.published("acme/later", embargo_until=timezone.now() + timedelta(days=1))
    bodies = set()
    for name in ("private", "later", "missing"):
        answer = client.get(f"/acme/{name}{place}")
        assert answer.status_code == 404
        bodies.add(answer.content.decode().replace(answer["X-Request-Id"], ""))
    assert len(bodies) == 1


def test_a_release_owner_sees_the_private_one(
    client: Client, open_tier: Tier, store: Path, release_owner: User
) -> None:
    factories.published("acme/private", private=True)
    client.force_login(release_owner)
    assert client.get("/acme/private").status_code == 200


def test_a_hostile_card_shows_as_text_and_loads_nothing(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/hostile", files={"README.md": CARD.encode(), "config.json": b"{}"})
    page = text(client, "/acme/hostile")
    card = page[page.index('<div class="prose card"') :].split("</section>")[0]
    assert "<script" not in card
    assert "<b>markup</b>" in card
    assert "onclick" not in card
    assert "<img" not in card
    assert "a picture" in card
    assert 'href="javascript:' not in card
    assert "/blob/" in card
    assert "<b>bold</b>" not in page


def test_a_cards_headings_continue_the_pages_outline(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/hostile", files={"README.md": CARD.encode()})
    page = text(client, "/acme/hostile")
    assert '<h3 id="card-title">' in page
    assert '<h4 id="card-deep-heading">' in page


@pytest.mark.parametrize(
    "front", [b"---\n: [\n---\n", b"---\n- a\n---\n", b"---\nx: " + b"[" * 500]
)
def test_a_card_with_broken_front_matter_still_shows(
    client: Client, open_tier: Tier, store: Path, front: bytes
) -> None:
    factories.published("acme/broken", files={"README.md": front + b"\nBody\n"})
    assert "Body" in text(client, "/acme/broken") or front.startswith(b"---\nx")


def test_before_its_files_are_verified_no_command_is_offered(
    client: Client, open_tier: Tier
) -> None:
    checkpoint = Checkpoint.objects.create(org="acme", name="pending", tier=open_tier)
    checkpoint.revisions.create(sha="a" * 40, manifest_sha256="b" * 64)
    page = text(client, "/acme/pending")
    assert "hf download" not in page
    assert "being verified" in page
    assert "file_unverified" in page
    assert "Not published here" not in page
    assert "a" * 12 not in page


def test_queries_do_not_grow_with_the_files(
    client: Client, open_tier: Tier, store: Path, applicant: User
) -> None:
    client.force_login(applicant)
    factories.published("acme/small")
    files = {f"part-{number}.bin": b"x" * (number + 1) for number in range(40)}
    factories.published("acme/large", files={**factories.SMALL_MODEL, **files})
    text(client, "/acme/small")
    counts = []
    for name in ("small", "large"):
        cache.delete("download-counts")  # cached if counting took long
        with CaptureQueriesContext(connection) as found:
            text(client, f"/acme/{name}")
        counts.append(len(found))
    assert counts[0] == counts[1] <= 13


def test_signed_in_pages_are_not_cached(
    client: Client, open_tier: Tier, store: Path, applicant: User
) -> None:
    factories.published("acme/open")
    assert "no-store" not in client.get("/acme/open").get("Cache-Control", "")
    client.force_login(applicant)
    assert client.get("/acme/open")["Cache-Control"] == "private, no-store"
