"""The public history of tiers: changes, checkpoints, and the authors' roles."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts.applications.question_presets import PRESETS
from accounts.audit.models import AuditEvent
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers import services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, Tier, TierChange
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.catalogue import checkpoint_tiers, opt_family
from weights.catalogue.models import Checkpoint
from weights.publishing import intake

pytestmark = pytest.mark.django_db


@pytest.fixture
def checkpoint(store: object, open_tier: Tier) -> Checkpoint:
    return factories.published("acme/weights", open_tier).checkpoint


def history(tier: Tier) -> list[tuple[str, str, str]]:
    """Kind, checkpoint and role of each change, oldest first."""
    changes = TierChange.objects.filter(tier=tier).order_by("pk")
    return [(one.kind, one.checkpoint, one.by_role) for one in changes]


def form_of(client: Client, page: str) -> dict[str, Any]:
    """Return the POST data of an unchanged admin form."""
    initial = client.get(page).context["adminform"].form.initial
    return {
        "questions-TOTAL_FORMS": 0,
        "questions-INITIAL_FORMS": 0,
        **{
            name: "" if value is None else value
            for name, value in initial.items()
            if name not in {"blocked_countries", "embargo_until", "facts"}
        },
        "blocked_countries": [str(country) for country in initial.get("blocked_countries", [])],
    }


# -- recorded changes ---------------------------------------------------------------------------


def test_a_change_is_recorded_with_its_audit_event_and_both_values(
    gated_tier: Tier, release_owner: User
) -> None:
    gated_tier.term_days, gated_tier.approvals_needed = 90, 2
    change = services.save_tier(gated_tier, by=release_owner).change
    assert change is not None
    assert [(one["field"], one["before"], one["after"]) for one in change.fields] == [
        ("approvals_needed", "1", "2"),
        ("term_days", "365", "90"),
    ]
    event = AuditEvent.objects.about(gated_tier).get()
    assert (event.action, event.actor_name) == ("tier.changed", "owner")
    assert event.details["fields"] == change.fields
    assert history(gated_tier) == [("changed", "", "Release owner")]


def test_a_tier_that_is_saved_unchanged_has_no_new_history(gated_tier: Tier) -> None:
    assert services.save_tier(gated_tier, by=None).change is None
    assert history(gated_tier) == []
    assert not AuditEvent.objects.about(gated_tier).exists()


def test_the_shipped_tiers_and_checkpoints_begin_the_history() -> None:
    opt_family.load()
    reviewed = Tier.objects.get(slug="opt-175b")
    role = services.SET_UP
    assert history(reviewed) == [
        ("made", "", role),
        ("checkpoint_in", "facebook/opt-175b", role),
    ]
    assert len(history(Tier.objects.get(slug="open"))) == 9


def test_a_checkpoint_published_in_the_shell_was_added_by_a_command(
    client: Client, store: object, open_tier: Tier, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes(b"{}\n")
    intake.publish(tmp_path, "acme/weights", tier=open_tier.slug)
    assert history(open_tier) == [("checkpoint_in", "acme/weights", "A command")]
    assert "by a command" in client.get(f"/tiers/{open_tier.slug}/").text


def test_a_new_licence_text_is_recorded_for_every_tier_under_it(
    client: Client, gated_tier: Tier, release_owner: User
) -> None:
    client.force_login(release_owner)
    data = {
        "licence": gated_tier.accepted_licence.pk,
        "version": "2",
        "text": "New terms.",
        "effective_at_0": "2030-01-01",
        "effective_at_1": "00:00:00",
        "notice_days": "0",
        "summary": "",
    }
    client.post(reverse("admin:accounts_licenceversion_add"), data)
    change = TierChange.objects.get(tier=gated_tier)
    assert change.kind == "licence_text"
    assert change.fields[0]["after"] == "version 2 from 2030-01-01, urgent"


def test_changed_questions_are_recorded_by_their_labels(
    client: Client, gated_tier: Tier, release_owner: User
) -> None:
    client.force_login(release_owner)
    page = reverse("admin:accounts_tier_ready_made", args=[gated_tier.pk])
    client.post(page, {"keys": [PRESETS[0]["key"]]})
    change = TierChange.objects.get(tier=gated_tier)
    assert change.kind == "questions"
    assert change.fields[0]["after"] == PRESETS[0]["label"]
    assert escape(PRESETS[0]["label"]) in client.get(f"/tiers/{gated_tier.slug}/").text


# -- checkpoints that change their tier, and raised gates ----------------------------------------


def test_raising_the_gate_of_a_published_checkpoint_asks_first_and_is_recorded_for_both_tiers(
    client: Client, checkpoint: Checkpoint, gated_tier: Tier, release_owner: User
) -> None:
    client.force_login(release_owner)
    page = reverse("admin:weights_checkpoint_change", args=[checkpoint.pk])
    data = {**form_of(client, page), "tier": gated_tier.pk, "facts": "{}"}
    asked = client.post(page, data)
    assert asked.status_code == 200
    assert "this restricts its access from open to opt-175b" in asked.text
    assert Checkpoint.objects.get(pk=checkpoint.pk).tier.slug == "open"
    assert client.post(page, {**data, "confirm_restriction": "on"}).status_code == 302
    assert Checkpoint.objects.get(pk=checkpoint.pk).tier == gated_tier
    assert history(gated_tier) == [("checkpoint_in", "acme/weights", "Release owner")]
    assert history(Tier.objects.get(slug="open"))[-1][0] == "checkpoint_out"


def test_lowering_the_gate_asks_a_single_operator_for_a_reason_and_records_it(
    client: Client, store: object, gated_tier: Tier, open_tier: Tier, release_owner: User
) -> None:
    checkpoint = factories.published("acme/weights", gated_tier).checkpoint
    client.force_login(release_owner)
    page = reverse("admin:weights_checkpoint_change", args=[checkpoint.pk])
    data = {**form_of(client, page), "tier": open_tier.pk, "facts": "{}"}
    assert "This widens access to acme/weights (the tier)" in client.post(page, data).text
    assert Checkpoint.objects.get(pk=checkpoint.pk).tier == gated_tier
    reason = "The paper is out."
    assert client.post(page, {**data, "opening_reason": reason}).status_code == 302
    assert Checkpoint.objects.get(pk=checkpoint.pk).tier == open_tier
    event = AuditEvent.objects.about(checkpoint).get(action="checkpoint.moved")
    assert event.details["reason"] == reason


@pytest.mark.slow
@pytest.mark.one_database
def test_a_release_owner_moves_a_checkpoint_among_their_own_tiers_alone(
    client: Client, store: object, gated_tier: Tier
) -> None:
    owner = factories.staff("local", Role.RELEASE_OWNER, gated_tier)
    RoleAssignment.objects.assign(owner, Role.RELEASE_OWNER, factories.tier("second"))
    foreign = factories.tier("foreign")
    checkpoint = factories.published("acme/weights", gated_tier).checkpoint
    client.force_login(owner)
    page = reverse("admin:weights_checkpoint_change", args=[checkpoint.pk])
    assert set(client.get(page).context["adminform"].form.fields["tier"].queryset) == set(
        Tier.objects.filter(slug__in=[gated_tier.slug, "second"])
    )
    data = {**form_of(client, page), "facts": "{}"}
    refused = client.post(page, {**data, "tier": foreign.pk})
    assert "Select a valid choice" in refused.text
    assert Checkpoint.objects.get(pk=checkpoint.pk).tier == gated_tier
    second = Tier.objects.get(slug="second")
    moved = {**data, "tier": second.pk, "opening_reason": "It belongs there."}
    assert client.post(page, moved).status_code == 302
    assert Checkpoint.objects.get(pk=checkpoint.pk).tier == second


@pytest.mark.slow
def test_a_tier_that_is_made_stricter_asks_first_too(
    client: Client, open_tier: Tier, administrator: User
) -> None:
    client.force_login(administrator)
    page = reverse("admin:accounts_tier_change", args=[open_tier.pk])
    data = {**form_of(client, page), "mode": AccessMode.CLICK_THROUGH}
    assert "Choose the licence that people accept." in client.post(page, data).text
    data["licence"] = str(Licence.objects.create(slug="terms", title="Terms").pk)
    assert "restricts access from Open to Click-through" in client.post(page, data).text
    assert client.post(page, {**data, "confirm_restriction": "on"}).status_code == 302
    assert Tier.objects.get(pk=open_tier.pk).mode == AccessMode.CLICK_THROUGH
    assert history(open_tier) == [("changed", "", "Administrator")]


def test_a_private_checkpoint_that_changes_tier_is_not_named_to_outsiders(
    client: Client, checkpoint: Checkpoint, gated_tier: Tier, release_owner: User
) -> None:
    checkpoint.private, checkpoint.tier = True, gated_tier
    checkpoint_tiers.save_checkpoint(checkpoint, by=release_owner)
    assert TierChange.objects.filter(checkpoint="acme/weights", hidden=True).count() == 2
    for slug in ("open", gated_tier.slug):
        assert "acme/weights" not in client.get(f"/tiers/{slug}/").text
        assert ApiClient().get(f"/tiers/{slug}/changes")["total"] == 0


@pytest.mark.parametrize("how", ["private", "embargo"])
def test_a_checkpoint_that_becomes_hidden_is_no_longer_named_by_its_earlier_changes(
    client: Client, checkpoint: Checkpoint, gated_tier: Tier, release_owner: User, how: str
) -> None:
    checkpoint.tier = gated_tier
    checkpoint_tiers.save_checkpoint(checkpoint, by=release_owner)

    def named() -> list[bool]:
        pages = [client.get(f"/tiers/{slug}/").text for slug in ("open", gated_tier.slug)]
        body = [
            str(ApiClient().get(f"/tiers/{slug}/changes")) for slug in ("open", gated_tier.slug)
        ]
        return ["acme/weights" in text for text in pages + body]

    assert all(named())
    checkpoint.private = how == "private"
    checkpoint.embargo_until = None if checkpoint.private else timezone.now() + timedelta(days=9)
    checkpoint_tiers.save_checkpoint(checkpoint, by=release_owner)
    assert not any(named())
    assert len(history(gated_tier)) == 1


# -- the pages and the API ------------------------------------------------------------------------


def test_the_public_reads_the_role_and_never_the_name(
    client: Client, gated_tier: Tier, release_owner: User
) -> None:
    gated_tier.term_days = 90
    services.save_tier(gated_tier, by=release_owner)
    page = client.get(f"/tiers/{gated_tier.slug}/").text
    assert "by release owner" in page
    assert "Days a grant lasts" in page
    body = ApiClient().get(f"/tiers/{gated_tier.slug}/changes")
    assert body["changes"][0]["by_role"] == "Release owner"
    for text in (page, str(body)):
        assert release_owner.email not in text
        assert str(release_owner.public_id) not in text


def test_the_api_returns_a_tiers_terms_and_its_history_in_pages(gated_tier: Tier) -> None:
    gated_tier.duo_codes = ["DUO:0000042", "DUO:0000046"]
    services.save_tier(gated_tier, by=None)
    for days in range(100, 105):
        gated_tier.term_days = days
        services.save_tier(gated_tier, by=None)
    body = ApiClient().get(f"/tiers/{gated_tier.slug}")
    assert [term["short"] for term in body["use_terms"]] == ["GRU", "NCU"]
    assert body["term_days"] == 104
    assert "Project title" in body["questions"]
    assert body["terms"]["text_sha256"] == factories.in_force(gated_tier).text_sha256
    assert [one["slug"] for one in ApiClient().get("/tiers")] == [gated_tier.slug]
    first = ApiClient().get(f"/tiers/{gated_tier.slug}/changes?limit=4")
    rest = ApiClient().get(first["next"].partition("/api/v1")[2])
    assert (len(first["changes"]), len(rest["changes"]), rest["next"]) == (4, 2, None)
    assert first["changes"][0]["fields"][0]["after"] == "104"
    assert ApiClient().get("/tiers/none/changes", 404)["code"] == "tier_not_found"


def test_a_tiers_page_makes_the_same_queries_however_long_its_history(
    client: Client, gated_tier: Tier, django_assert_num_queries: Callable[..., Any]
) -> None:
    for days in range(100, 160):
        gated_tier.term_days = days
        services.save_tier(gated_tier, by=None)
    with django_assert_num_queries(5):
        assert "103" in client.get(f"/tiers/{gated_tier.slug}/?page=2").text
    with django_assert_num_queries(1):
        assert gated_tier.name in client.get("/tiers/").text
