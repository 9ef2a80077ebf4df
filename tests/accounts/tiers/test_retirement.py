"""Administrators create, order, retire and restore tiers."""

import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.applications import services as applications
from accounts.applications.models import Application
from accounts.applications.workflow import decisions
from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TierRetired, TransitionRefused
from accounts.grants import break_glass
from accounts.grants.models import Grant
from accounts.grants.queries import tiers_open_to
from accounts.roles.permissions import Role
from accounts.tiers import retirement, services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier, TierChange
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.catalogue import checkpoint_tiers
from weights.catalogue.models import Checkpoint
from weights.publishing import intake

pytestmark = pytest.mark.django_db

WHY = "The release of 2023 replaced it."


@pytest.fixture
def retired(gated_tier: Tier, administrator: User) -> Tier:
    retirement.retire(gated_tier, by=administrator, reason=WHY)
    return gated_tier


# -- creating and ordering ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", [AccessMode.OPEN, AccessMode.CLICK_THROUGH, AccessMode.REVIEWED])
def test_an_administrator_creates_a_tier_of_each_mode_and_it_opens_nothing(
    client: Client, administrator: User, store: object, gated_tier: Tier, mode: AccessMode
) -> None:
    checkpoint = factories.published("acme/weights", gated_tier).checkpoint
    client.force_login(administrator)
    page = reverse("admin:accounts_tier_add")
    assert "opens nothing by itself" in client.get(page).text
    data = {
        **{"name": "Second", "slug": "second", "mode": mode, "position": 2, "term_days": 30},
        **{"approvals_needed": 1, "file_link_minutes": 15, "checkpoint_link_hours": 168},
        "reapply_days": 0,
        "licence": gated_tier.accepted_licence.pk if mode.is_gated else "",
        **{"questions-TOTAL_FORMS": 0, "questions-INITIAL_FORMS": 0},
    }
    assert client.post(page, data).status_code == 302
    tier = Tier.objects.get(slug="second")
    assert (tier.mode, tier.position) == (mode, 2)
    assert TierChange.objects.get(tier=tier).by_role == "Administrator"
    assert AuditEvent.objects.about(tier).get().action == "tier.made"
    assert not Checkpoint.objects.filter(pk=checkpoint.pk, tier__in=tiers_open_to(None)).exists()


def test_a_gated_tier_needs_a_licence(client: Client, administrator: User) -> None:
    client.force_login(administrator)
    data = {"name": "Second", "slug": "second", "mode": "reviewed", "licence": ""}
    response = client.post(reverse("admin:accounts_tier_add"), data)
    assert "Choose the licence that people accept." in response.text
    assert not Tier.objects.filter(slug="second").exists()


def test_only_an_administrator_creates_and_orders_tiers(
    gated_tier: Tier, release_owner: User, administrator: User
) -> None:
    with pytest.raises(NotAllowed, match="only administrators"):
        services.save_tier(Tier(slug="mine", name="Mine", mode="open"), by=release_owner)
    gated_tier.position = 3
    with pytest.raises(NotAllowed, match="only administrators"):
        services.save_tier(gated_tier, by=release_owner)
    of_one = factories.staff("of-one", Role.ADMINISTRATOR, gated_tier)
    with pytest.raises(NotAllowed, match="only administrators"):
        services.save_tier(Tier(slug="mine", name="Mine", mode="open"), by=of_one)
    change = services.save_tier(gated_tier, by=administrator).change
    assert change is not None
    assert change.fields == [
        {"field": "position", "label": "Place in lists", "before": "0", "after": "3"}
    ]


def test_pages_and_api_list_tiers_in_their_order(client: Client, applicant: User) -> None:
    for position, slug in enumerate(["zulu", "mike", "alpha"]):
        tier = factories.tier(slug, position=position)
        Checkpoint.objects.create(org="acme", name=f"number-{position}", tier=tier)
    client.force_login(applicant)
    for page in ("/tiers/", "/applications/"):
        text = client.get(page).text
        assert text.index("zulu") < text.index("mike") < text.index("alpha"), page
    listed = re.findall(r'name="tier" value="(\w+)"', client.get("/models").text)
    assert listed == ["zulu", "mike", "alpha"]
    assert [one["slug"] for one in ApiClient().get("/tiers")] == ["zulu", "mike", "alpha"]


# -- what a retired tier refuses ----------------------------------------------------------------


def test_retiring_needs_an_administrator_and_a_reason_and_is_on_record(
    gated_tier: Tier, release_owner: User, administrator: User
) -> None:
    with pytest.raises(NotAllowed):
        retirement.retire(gated_tier, by=release_owner, reason=WHY)
    with pytest.raises(InvalidValue, match="5 to 500 characters"):
        retirement.retire(gated_tier, by=administrator, reason=" x ")
    retirement.retire(gated_tier, by=administrator, reason=WHY)
    with pytest.raises(TransitionRefused, match="is retired"):
        retirement.retire(gated_tier, by=administrator, reason=WHY)
    retirement.unretire(gated_tier, by=administrator, reason="It is needed again.")
    with pytest.raises(TransitionRefused, match="is in use"):
        retirement.unretire(gated_tier, by=administrator, reason=WHY)
    events = AuditEvent.objects.about(gated_tier).order_by("pk")
    assert [one.action for one in events] == ["tier.retired", "tier.unretired"]
    assert events[0].details == {"reason": WHY}
    changes = TierChange.objects.filter(tier=gated_tier).order_by("pk")
    assert [(one.kind, one.fields[0]["after"]) for one in changes] == [
        ("retired", WHY),
        ("unretired", "It is needed again."),
    ]


def test_a_retired_tier_takes_no_application_and_no_grant(
    retired: Tier, applicant: User, lead_reviewer: User
) -> None:
    with pytest.raises(TierRetired, match="choose another tier"):
        applications.begin(applicant, retired)
    with pytest.raises(TierRetired):
        factories.grant(applicant, retired)
    with pytest.raises(TierRetired):
        break_glass.request_access(applicant, retired, days=5, reason=WHY, by=lead_reviewer)
    assert not Application.objects.exists()
    assert not Grant.objects.exists()


def test_a_retired_click_through_tier_accepts_nobody(applicant: User, administrator: User) -> None:
    tier = factories.tier("click", AccessMode.CLICK_THROUGH)
    retirement.retire(tier, by=administrator, reason=WHY)
    text = factories.in_force(tier).text_sha256
    with pytest.raises(TierRetired):
        applications.accept_licence(applicant, tier, licence_sha256=text)
    assert not Grant.objects.exists()


def test_an_application_that_waits_can_be_rejected_and_not_approved(
    gated_tier: Tier, applicant: User, reviewer: User, administrator: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    retirement.retire(gated_tier, by=administrator, reason=WHY)
    with pytest.raises(TierRetired):
        decisions.approve(application, by=reviewer)
    assert not Grant.objects.exists()
    note = "The tier was retired, so nobody gets access to it any more. Choose a newer one."
    decisions.reject(application, by=reviewer, reasons=["other"], note=note)
    application.refresh_from_db()
    assert application.status == "rejected"


def test_a_retired_tier_takes_no_checkpoint_by_publication_or_move(
    store: object, retired: Tier, open_tier: Tier, release_owner: User, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes(b"{}\n")
    with pytest.raises(TierRetired):
        intake.publish(tmp_path, "acme/new", tier=retired.slug)
    assert not Checkpoint.objects.exists()
    checkpoint = factories.published("acme/weights", open_tier).checkpoint
    checkpoint.tier = retired
    with pytest.raises(TierRetired):
        checkpoint_tiers.save_checkpoint(checkpoint, by=release_owner)
    assert Checkpoint.objects.get().tier == open_tier


def test_a_checkpoint_of_a_retired_tier_takes_a_new_revision(
    store: object, gated_tier: Tier, administrator: User, tmp_path: Path
) -> None:
    factories.published("acme/weights", gated_tier)
    retirement.retire(gated_tier, by=administrator, reason=WHY)
    (tmp_path / "config.json").write_bytes(b'{"repaired": true}\n')
    revision = intake.publish(tmp_path, "acme/weights", tier=gated_tier.slug)
    assert revision.checkpoint.repo_id == "acme/weights"


def test_the_admin_refuses_a_retired_tier_for_a_checkpoint(
    client: Client, store: object, retired: Tier, open_tier: Tier, release_owner: User
) -> None:
    checkpoint = factories.published("acme/weights", open_tier).checkpoint
    client.force_login(release_owner)
    page = reverse("admin:weights_checkpoint_change", args=[checkpoint.pk])
    menu = client.get(page).text.split('<select name="tier"')[1].split("</select>")[0]
    assert str(open_tier) in menu
    assert str(retired) not in menu
    response = client.post(page, {"tier": retired.pk, "facts": "{}"})
    assert "is retired: it takes no new checkpoints" in response.text


# -- what stays ---------------------------------------------------------------------------------


def test_holders_of_a_retired_tier_keep_their_access_and_nobody_else_gets_any(
    store: object, gated_tier: Tier, applicant: User, other_person: User, administrator: User
) -> None:
    factories.published("acme/weights", gated_tier, {"w.bin": b"weights"})
    factories.grant(applicant, gated_tier)
    retirement.retire(gated_tier, by=administrator, reason=WHY)
    file = "/acme/weights/resolve/main/w.bin"

    def fetch(person: User) -> tuple[int, str | None, str | None]:
        token = factories.token(person, "read-gated")
        response = Client().get(file, headers={"Authorization": f"Bearer {token}"})
        headers = response.headers
        return response.status_code, headers.get("X-Error-Code"), headers.get("X-Refusal-Code")

    assert fetch(applicant)[0] == 200
    assert fetch(other_person) == (403, "GatedRepo", "tier_retired")
    assert Client().get(file).status_code == 401
    retirement.unretire(gated_tier, by=administrator, reason="It is needed again.")
    assert fetch(other_person) == (403, "GatedRepo", "no_application")


def test_a_holder_of_a_retired_tier_accepts_a_new_licence_text(
    gated_tier: Tier, applicant: User, administrator: User
) -> None:
    grant = factories.grant(applicant, gated_tier)
    retirement.retire(gated_tier, by=administrator, reason=WHY)
    new = gated_tier.accepted_licence.versions.create(
        version="2", text="# New terms\n", effective_at=timezone.now()
    )
    applications.accept_licence(applicant, gated_tier, licence_sha256=new.text_sha256)
    grant.refresh_from_db()
    assert grant.licence_version == new


# -- pages and APIs -----------------------------------------------------------------------------


def test_pages_show_that_a_tier_is_retired_and_offer_no_application(
    client: Client, store: object, gated_tier: Tier, applicant: User, administrator: User
) -> None:
    factories.published("acme/weights", gated_tier)
    retirement.retire(gated_tier, by=administrator, reason=WHY)
    for person in (None, applicant):
        if person:
            client.force_login(person)
        refused = client.get("/apply/opt-175b/")
        assert refused.status_code == 403
        assert "tier_retired" in refused.text
        detail = client.get("/tiers/opt-175b/").text
        assert WHY in detail
        assert "takes no new checkpoints" in detail
        assert "/apply/opt-175b/" not in detail
        assert "/apply/opt-175b/" not in client.get("/acme/weights").text
        assert "Retired" in client.get("/tiers/").text
        assert "opt-175b (retired)" in " ".join(client.get("/models").text.split())
    assert "/apply/opt-175b/" not in client.get("/applications/").text


def test_the_api_shows_and_refuses_a_retired_tier(retired: Tier, applicant: User) -> None:
    assert ApiClient().get("/tiers/opt-175b")["retired_at"] is not None
    script = ApiClient(applicant, "read-gated")
    refused = script.post("/applications", {"tier": "opt-175b"}, 403)
    assert refused["code"] == "tier_retired"
    assert "choose another tier" in refused["detail"]


@pytest.mark.parametrize("action", ["retire", "unretire"])
def test_the_admin_shows_what_stays_before_it_retires_a_tier(
    client: Client, gated_tier: Tier, applicant: User, administrator: User, action: str
) -> None:
    factories.grant(applicant, gated_tier)
    if action == "unretire":
        retirement.retire(gated_tier, by=administrator, reason=WHY)
    client.force_login(administrator)
    page = reverse("admin:accounts_tier_changelist")
    data = {"action": action, "_selected_action": [gated_tier.pk]}
    asked = client.post(page, data)
    assert ("People who keep their access: 1" in asked.text) == (action == "retire")
    client.post(page, {**data, "confirmed": "1", "reason": WHY})
    gated_tier.refresh_from_db()
    assert (gated_tier.retired_at is not None) == (action == "retire")


def test_a_release_owner_is_not_offered_to_retire_tiers(
    client: Client, gated_tier: Tier, release_owner: User
) -> None:
    client.force_login(release_owner)
    assert 'value="retire"' not in client.get(reverse("admin:accounts_tier_changelist")).text
