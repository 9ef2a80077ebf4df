"""Every page and API shows a checkpoint's own licence, or that of its gated tier."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.catalogue import checkpoint_tiers, licences
from weights.catalogue.models import Checkpoint
from weights.errors import PublishRefused
from weights.manifests.document import document_of
from weights.publishing import intake
from weights.publishing.models import Revision

pytestmark = pytest.mark.django_db

APACHE = "license: apache-2.0"
NAMED = "license: other\nlicense_name: acme-1\nlicense_link: https://acme.example/licence"
OPT = "license: other\nlicense_name: opt-175b"


@pytest.fixture
def gated(gated_tier: Tier) -> Tier:
    """A reviewed tier under a licence that cards can name."""
    Licence.objects.update(slug="opt-175b", spdx_id="LicenseRef-OPT-175B", title="OPT licence")
    gated_tier.refresh_from_db()
    return gated_tier


@pytest.fixture
def folder(store: Path, tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    (root / "model.safetensors").write_bytes(factories.safetensors(b"weights"))
    return root


def publish(folder: Path, front_matter: str, tier: Tier, **options: str) -> Revision:
    (folder / "README.md").write_text(f"---\n{front_matter}\n---\n# A model\n")
    return intake.publish(folder, "acme/model", tier=tier.slug, **options)  # type: ignore[arg-type]


def shown(revision: Revision) -> tuple[str, str] | None:
    licence = licences.of_checkpoint(Checkpoint.objects.get(), revision)
    return (licence.title, licence.url) if licence else None


# -- open checkpoints ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("front_matter", "option", "expected"),
    [
        (APACHE, "", ("Apache License 2.0", "https://spdx.org/licenses/Apache-2.0.html")),
        ("license: MIT", "mit", ("MIT License", "https://spdx.org/licenses/MIT.html")),
        ("license: [mit]", "", ("MIT License", "https://spdx.org/licenses/MIT.html")),
        (NAMED, "", ("acme-1", "https://acme.example/licence")),
        ("license: gemma", "", ("gemma", "")),
        (
            "tags: [x]",
            "apache-2.0",
            ("Apache License 2.0", "https://spdx.org/licenses/Apache-2.0.html"),
        ),
        (
            "license: other",
            "apache-2.0",
            ("Apache License 2.0", "https://spdx.org/licenses/Apache-2.0.html"),
        ),
        ("tags: [x]", "", None),
        ("license: {a: b}", "", None),
    ],
)
def test_an_open_checkpoint_takes_the_licence_of_its_card_or_of_the_publisher(
    folder: Path, open_tier: Tier, front_matter: str, option: str, expected: tuple[str, str] | None
) -> None:
    assert shown(publish(folder, front_matter, open_tier, licence=option)) == expected


def test_a_card_that_contradicts_the_named_licence_of_this_portal_is_refused(
    folder: Path, open_tier: Tier
) -> None:
    Licence.objects.create(slug="ours", title="Our licence")
    with pytest.raises(PublishRefused, match="and --licence names ours"):
        publish(folder, APACHE, open_tier, licence="ours")
    shown_one = shown(publish(folder, "license: other", open_tier, licence="ours"))
    assert shown_one == ("Our licence", "/licences/ours/")


def test_a_link_of_a_card_that_is_no_web_address_is_not_linked(
    folder: Path, open_tier: Tier
) -> None:
    card = NAMED.replace("https:", "javascript:")
    assert shown(publish(folder, card, open_tier)) == ("acme-1", "")


def test_a_licence_of_this_portal_can_be_named_by_its_slug(folder: Path, open_tier: Tier) -> None:
    Licence.objects.create(slug="ours", title="Our licence")
    assert shown(publish(folder, "tags: [x]", open_tier, licence="ours")) == (
        "Our licence",
        "/licences/ours/",
    )


def test_a_card_names_a_licence_of_this_portal_without_a_link(
    folder: Path, open_tier: Tier
) -> None:
    """The advice that a gated tier gives holds in an open one too."""
    Licence.objects.create(slug="ours", title="Our licence")
    card = "license: other\nlicense_name: ours"
    assert shown(publish(folder, card, open_tier)) == ("Our licence", "/licences/ours/")


@pytest.mark.parametrize(
    ("front_matter", "option", "remedy"),
    [
        ("license: other", "", "add license_name and license_link"),
        ("license: other\nlicense_name: x", "", "add license_name and license_link"),
        (APACHE, "mit", "make them equal"),
        ("tags: [x]", "no-such", "use one such as apache-2.0"),
    ],
)
def test_a_licence_that_says_too_little_or_contradicts_is_refused_before_anything_is_stored(
    folder: Path, store: Path, open_tier: Tier, front_matter: str, option: str, remedy: str
) -> None:
    with pytest.raises(PublishRefused, match=remedy):
        publish(folder, front_matter, open_tier, licence=option)
    assert not Checkpoint.objects.exists()
    assert not list(store.glob("*/*/*"))


# -- gated checkpoints --------------------------------------------------------------------


@pytest.mark.parametrize("front_matter", [OPT, "license: other", "tags: [x]"])
def test_a_gated_checkpoint_carries_the_licence_of_its_tier(
    folder: Path, gated: Tier, front_matter: str
) -> None:
    revision = publish(folder, front_matter, gated)
    assert shown(revision) == ("OPT licence", "/licences/opt-175b/")


def test_another_licence_than_the_tiers_is_refused_with_the_remedy(
    folder: Path, gated: Tier
) -> None:
    for front_matter, option in ((APACHE, ""), (NAMED, ""), ("tags: [x]", "mit")):
        with pytest.raises(PublishRefused, match="tier opt-175b is under OPT licence"):
            publish(folder, front_matter, gated, licence=option)
    assert not Checkpoint.objects.exists()


def test_a_checkpoint_of_another_licence_cannot_move_to_a_gated_tier(
    client: Client, folder: Path, open_tier: Tier, gated: Tier, administrator: User
) -> None:
    factories.published("acme/model", open_tier, {"README.md": f"---\n{APACHE}\n---\n".encode()})
    Revision.objects.update(licence={"code": "apache-2.0"})
    checkpoint = Checkpoint.objects.get()
    checkpoint.tier = gated
    with pytest.raises(PublishRefused, match=r"states the licence apache-2\.0"):
        checkpoint_tiers.save_checkpoint(checkpoint, by=administrator)
    assert Checkpoint.objects.get().tier == open_tier
    Revision.objects.update(licence={"code": "other", "name": "opt-175b"})
    checkpoint_tiers.save_checkpoint(checkpoint, by=administrator)
    assert Checkpoint.objects.get().tier == gated


def test_a_gated_tier_needs_a_licence_and_an_open_one_takes_none(gated: Tier) -> None:
    gated.licence, licence = None, gated.licence
    with pytest.raises(ValidationError, match="Choose the licence"):
        gated.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        gated.save()
    gated.mode, gated.licence = AccessMode.OPEN, licence
    with pytest.raises(ValidationError, match="carries its own licence"):
        gated.full_clean()


# -- where it is shown --------------------------------------------------------------------


def test_pages_api_and_manifest_show_the_licence_of_the_checkpoint(
    client: Client, folder: Path, open_tier: Tier
) -> None:
    revision = factories.published("acme/model", open_tier)
    Revision.objects.update(licence={"code": "apache-2.0"})
    revision.refresh_from_db()
    for page in ("/acme/model", "/models"):
        text = client.get(page).text
        assert "Apache License 2.0" in text
        assert "https://spdx.org/licenses/Apache-2.0.html" in text
    detail = ApiClient().get("/checkpoints/acme/model")
    assert detail["licence"] == "apache-2.0"
    assert detail["terms"]["spdx_id"] == "Apache-2.0"
    assert detail["terms"]["version"] is None
    terms = json.loads(document_of(revision).text)["terms"]
    assert (terms["licence"], terms["title"]) == ("apache-2.0", "Apache License 2.0")


def test_pages_say_so_if_no_licence_is_stated(client: Client, open_tier: Tier, store: Path) -> None:
    factories.published("acme/model", open_tier)
    for page in ("/acme/model", "/models"):
        assert "No licence stated" in client.get(page).text
    detail = ApiClient().get("/checkpoints/acme/model")
    assert (detail["licence"], detail["terms"]) == (None, None)
    assert ApiClient().get("/tiers/open")["terms"] is None
    assert (
        "states its own licence" in client.get(reverse("accounts:tier-detail", args=["open"])).text
    )


def test_checkpoints_of_an_open_tier_with_a_licence_get_it_by_the_migration(
    open_tier: Tier, store: Path
) -> None:
    ours = Licence.objects.create(slug="ours", title="Our licence")
    Tier.objects.filter(pk=open_tier.pk).update(licence=ours)
    factories.published("acme/silent", open_tier, {"config.json": b"{}"})
    factories.published("acme/stated", open_tier, {"config.json": b"[]"})
    Revision.objects.filter(checkpoint__name="stated").update(licence={"code": "mit"})
    migration = import_module("weights.migrations.0009_licences_of_open_tiers")
    migration.move_to_checkpoints(apps, None)
    assert Checkpoint.objects.get(name="silent").licence == ours
    assert Checkpoint.objects.get(name="stated").licence is None
