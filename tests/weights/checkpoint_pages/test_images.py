"""Images in a card: only those served through the gate from the portal's own origin."""

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.checkpoint_pages.image_views import MAX_BYTES, media_type_of
from weights.ledger.models import Download
from weights.publishing import withdrawal
from weights.publishing.models import Revision

pytestmark = [pytest.mark.one_database, pytest.mark.usefixtures("store")]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
FILES = {
    "README.md": b"# A\n\n![A curve](figures/curve.png)\n",
    "figures/curve.png": PNG,
    "page.png": b"<html><script>alert(1)</script>",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "large.png": PNG + bytes(MAX_BYTES),
}


def published(tier: Tier) -> tuple[Revision, str]:
    revision = factories.published("acme/pictures", tier=tier, files=FILES)
    return revision, f"/acme/pictures/image/{revision.sha}/figures/curve.png"


def test_a_card_shows_its_revisions_image(client: Client, open_tier: Tier) -> None:
    revision, address = published(open_tier)
    assert f'<img src="{address}" alt="A curve"' in client.get("/acme/pictures").content.decode()
    answer = client.get(address)
    assert answer.content == PNG
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cache-Control"] == "public, no-cache"
    assert client.get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    row = Download.objects.get()
    assert (row.path, row.outcome, row.length) == ("figures/curve.png", "shown", len(PNG))
    assert client.get(address.replace("curve", "none")).status_code == 404
    assert client.get(address.replace(revision.sha, "0" * 40)).status_code == 404


@pytest.mark.parametrize("name", ["page.png", "drawing.svg", "README.md", "large.png"])
def test_only_images_are_served(client: Client, open_tier: Tier, name: str) -> None:
    revision, _ = published(open_tier)
    answer = client.get(f"/acme/pictures/image/{revision.sha}/{name}")
    assert answer.status_code == 404
    assert b"alert" not in answer.content


def test_a_gated_image_is_for_holders(
    client: Client, gated_tier: Tier, applicant: User, release_owner: User
) -> None:
    revision, address = published(gated_tier)
    page = client.get("/acme/pictures").content.decode()
    assert "<img" not in page
    assert "A curve" in page
    answer = client.get(address)
    assert answer.status_code == 401
    assert PNG not in answer.content
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    assert address in client.get("/acme/pictures").content.decode()
    answer = client.get(address)
    assert answer.content == PNG
    assert answer["Cache-Control"] == "private, no-store"
    withdrawal.withdraw(revision, "It shows wrong numbers.", by=release_owner)
    assert client.get(address).status_code == 410


def test_images_are_recognised_by_their_first_bytes() -> None:
    assert media_type_of(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert media_type_of(b"GIF89a") == "image/gif"
    assert media_type_of(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
    assert media_type_of(b"RIFF\0\0\0\0WAVE") is None
    assert media_type_of(b"") is None
