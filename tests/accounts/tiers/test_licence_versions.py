"""New licence texts: notices to holders, validity of earlier acceptance, and the diff."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.tiers import licence_notices, services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights import gate
from weights.gate.caller import session_caller

pytestmark = pytest.mark.django_db

NOW = timezone.now
DAY = timedelta(days=1)


@pytest.fixture
def grant(applicant: User, gated_tier: Tier) -> Grant:
    """A grant under a text of last year."""
    gated_tier.accepted_licence.versions.update(effective_at=NOW() - 400 * DAY)
    return factories.grant(applicant, gated_tier, until=NOW() + 200 * DAY)


def new_version(tier: Tier, version: str = "2", *, days_ago: float = 0.01, notice: int = 30) -> Any:
    return tier.accepted_licence.versions.create(
        version=version,
        text="# Terms\n\nFor research, never for harm, and never for sale.\n",
        summary="Sale is excluded",
        effective_at=NOW() - days_ago * DAY,
        notice_days=notice,
    )


def accept(client: Client, tier: Tier) -> int:
    text = factories.in_force(tier)
    sent = {"licence_accept": "on", "licence_sha256": text.text_sha256}
    return client.post(f"/apply/{tier.slug}/", sent).status_code


def mails(kind: str) -> list[OutgoingMail]:
    return list(OutgoingMail.objects.filter(kind=kind).order_by("pk"))


def sweep(now: Any = None) -> None:
    """Run the notices twice, as two workers would."""
    for _ in range(2):
        licence_notices.announce(now or NOW())
        licence_notices.remind(now or NOW())


# -- notices --------------------------------------------------------------------------------------


def test_holders_of_an_older_text_are_mailed_once_when_the_new_one_takes_effect(
    grant: Grant, other_person: User
) -> None:
    coming = new_version(grant.tier, days_ago=-3)
    sweep()
    assert mails("licence_changed") == []
    sweep(NOW() + 4 * DAY)
    (mail,) = mails("licence_changed")
    assert mail.to == grant.user.email
    assert f"{coming.notice_ends:%Y}" in mail.text
    assert "/licences/" in mail.text
    assert "?since=1" in mail.text


def test_a_holder_who_accepted_the_new_text_is_not_mailed(grant: Grant, other_person: User) -> None:
    new_version(grant.tier)
    factories.grant(other_person, grant.tier)
    sweep()
    assert [mail.to for mail in mails("licence_changed")] == [grant.user.email]


@pytest.mark.parametrize("summary", ["Sale is excluded", "Sale is excluded."])
def test_a_summary_of_changes_ends_with_one_full_stop(grant: Grant, summary: str) -> None:
    LicenceVersion.objects.filter(pk=new_version(grant.tier).pk).update(summary=summary)
    sweep()
    assert "UTC. Sale is excluded. You accepted" in mails("licence_changed")[0].text


def test_an_urgent_text_says_that_access_is_closed(grant: Grant) -> None:
    new_version(grant.tier, notice=0)
    sweep()
    assert "suspended until you accept it" in mails("licence_changed")[0].text


def test_holders_are_reminded_once_a_week_before_the_notice_ends(
    grant: Grant, client: Client, other_person: User
) -> None:
    factories.grant(other_person, grant.tier)
    new_version(grant.tier, days_ago=22)
    sweep()
    assert mails("licence_reminder") == []
    client.force_login(other_person)
    accept(client, grant.tier)
    sweep(NOW() + 2 * DAY)
    sweep(NOW() + 3 * DAY)
    assert [mail.to for mail in mails("licence_reminder")] == [grant.user.email]


def test_only_the_newest_of_two_texts_that_took_effect_at_once_is_mailed(grant: Grant) -> None:
    new_version(grant.tier, "2", days_ago=2)
    new_version(grant.tier, "3", days_ago=1)
    sweep()
    assert [mail.subject for mail in mails("licence_changed")] == [
        f"The licence of {grant.tier.name} has changed"
    ]
    assert "Version 3" in mails("licence_changed")[0].text


def test_a_sweep_with_nothing_to_send_makes_two_queries(
    grant: Grant, django_assert_num_queries: Callable[..., Any]
) -> None:
    new_version(grant.tier)
    sweep()
    with django_assert_num_queries(2):
        licence_notices.announce(NOW())
        licence_notices.remind(NOW())


# -- the gate -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_an_urgent_text_refuses_at_once_until_it_is_accepted(grant: Grant, client: Client) -> None:
    factories.published("acme/weights", grant.tier)
    caller = session_caller(grant.user)

    def code() -> str | None:
        return gate.decide(caller, "acme/weights", "main", "config.json", NOW()).code

    assert code() is None
    new_version(grant.tier, notice=0)
    assert code() == "licence_outdated"
    client.force_login(grant.user)
    assert accept(client, grant.tier) == 302
    assert code() is None


@pytest.mark.usefixtures("store")
def test_a_later_text_with_notice_does_not_lift_an_urgent_one(grant: Grant) -> None:
    factories.published("acme/weights", grant.tier)
    new_version(grant.tier, "2", days_ago=2, notice=0)
    new_version(grant.tier, "3", days_ago=1, notice=30)
    caller = session_caller(grant.user)
    asked = gate.decide(caller, "acme/weights", "main", "config.json", NOW())
    assert asked.code == "licence_outdated"
    Grant.objects.filter(pk=grant.pk).update(
        licence_version=LicenceVersion.objects.get(version="2")
    )
    assert gate.decide(caller, "acme/weights", "main", "config.json", NOW()).allowed


# -- another licence ------------------------------------------------------------------------------


def move_to_other_licence(tier: Tier, *, days_ago: float = 0, notice: int = 30) -> LicenceVersion:
    """Put the tier under another licence, of last year, which was announced to its own holders."""
    other = factories.tier("stricter").accepted_licence
    when = NOW() - 300 * DAY
    other.versions.update(effective_at=when, notice_days=notice, announced_at=when)
    tier.licence = other
    services.save_tier(tier, by=None)
    Tier.objects.filter(pk=tier.pk).update(licence_since=NOW() - days_ago * DAY)
    tier.refresh_from_db()
    return other.versions.get()


@pytest.mark.usefixtures("store")
def test_under_another_licence_the_old_acceptance_counts_for_its_notice_alone(
    grant: Grant, client: Client
) -> None:
    factories.published("acme/weights", grant.tier)
    move_to_other_licence(grant.tier, days_ago=29.9)

    def gate_state() -> tuple[str | None, bool, str]:
        caller = session_caller(grant.user)
        decided = gate.decide(caller, "acme/weights", "main", "config.json", NOW())
        held = ApiClient(grant.user).get("/grants")[0]
        return decided.code, held["licence_outdated"], held["licence"]

    accepted = grant.licence_version.licence.slug
    assert gate_state() == (None, False, accepted)
    Tier.objects.update(licence_since=NOW() - 30.1 * DAY)
    assert gate_state() == ("licence_outdated", True, accepted)
    client.force_login(grant.user)
    assert "Your access is suspended until you accept it" in client.get("/access/").text
    assert accept(client, grant.tier) == 302
    assert gate_state() == (None, False, grant.tier.accepted_licence.slug)


@pytest.mark.parametrize("notice", [0, 30])
def test_a_licence_of_unknown_start_has_the_notice_period_of_its_text(
    grant: Grant, notice: int
) -> None:
    move_to_other_licence(grant.tier, notice=notice)
    Tier.objects.update(licence_since=None)
    tier = Tier.objects.get(pk=grant.tier_id)
    assert not grant.has_valid_licence(NOW(), tier, tier.accepted_licence.in_force_by(NOW()))


def test_a_text_that_was_replaced_before_the_tier_came_under_it_needs_no_acceptance(
    grant: Grant,
) -> None:
    text = move_to_other_licence(grant.tier, days_ago=3)
    old = {"version": "0", "text": "Urgent.", "notice_days": 0}
    text.licence.versions.create(effective_at=text.effective_at - DAY, **old)
    tier = grant.tier
    assert grant.has_valid_licence(NOW(), tier, tier.accepted_licence.in_force_by(NOW()))
    text.licence.versions.create(
        version="2", text="Urgent too.", notice_days=0, effective_at=NOW() - DAY
    )
    assert not grant.has_valid_licence(NOW(), tier, tier.accepted_licence.in_force_by(NOW()))


def test_holders_are_notified_of_another_licence_and_reminded(grant: Grant, client: Client) -> None:
    move_to_other_licence(grant.tier)
    sweep()
    (mail,) = mails("licence_changed")
    former = f"You accepted {grant.licence_version.licence.title}, version 1"
    assert f"{grant.tier.accepted_licence.title}, version 1" in mail.text
    assert former in mail.text
    assert f"until {NOW() + 30 * DAY:%-d %B %Y}" in mail.text
    assert "?since=" not in mail.text
    sweep(NOW() + 20 * DAY)
    assert mails("licence_reminder") == []
    sweep(NOW() + 24 * DAY)
    (reminder,) = mails("licence_reminder")
    assert f"is suspended from {NOW() + 30 * DAY:%-d %B %Y}" in reminder.text
    client.force_login(grant.user)
    page = " ".join(client.get(f"/apply/{grant.tier.slug}/").text.split())
    assert f"under {grant.licence_version.licence.title}, version 1 until" in page


# -- the pages ------------------------------------------------------------------------------------


def test_the_page_of_a_text_shows_what_changed_since_another(
    client: Client, gated_tier: Tier
) -> None:
    new_version(gated_tier)
    page = client.get(f"/licences/{gated_tier.accepted_licence.slug}/2/?since=1").text
    assert "What changed since version 1" in page
    assert "<ins>" in page
    assert ", and never for sale" in page.partition("<ins>")[2][:200]
    assert "What changed" not in client.get(f"/licences/{gated_tier.accepted_licence.slug}/1/").text
    unknown = client.get(f"/licences/{gated_tier.accepted_licence.slug}/2/?since=9")
    assert unknown.status_code == 200
    assert "What changed" not in unknown.text


def test_the_access_page_asks_to_accept_a_newer_text(grant: Grant, client: Client) -> None:
    client.force_login(grant.user)
    assert "Read and accept it" not in client.get("/access/").text
    new_version(grant.tier)
    page = " ".join(client.get("/access/").text.split())
    assert "Your access continues under the older one until" in page
    new_version(grant.tier, "3", days_ago=0.001, notice=0)
    assert "Your access is suspended until you accept it" in client.get("/access/").text
    accept(client, grant.tier)
    assert "Read and accept it" not in client.get("/access/").text


@pytest.mark.usefixtures("store")
def test_a_click_through_tier_asks_for_its_new_text_again(client: Client, applicant: User) -> None:
    tier = factories.tier("click", AccessMode.CLICK_THROUGH)
    client.force_login(applicant)
    assert accept(client, tier) == 302
    assert Grant.objects.get(user=applicant).origin == Grant.Origin.CLICK_THROUGH
    new_version(tier, notice=0)
    page = " ".join(client.get(f"/apply/{tier.slug}/").text.split())
    assert "What changed since version 1, which you accepted" in page
    assert ", and never for sale" in page.partition("<ins>")[2][:200]
    assert accept(client, tier) == 302
    held = Grant.objects.get(user=applicant)
    assert held.licence_version == factories.in_force(tier)
