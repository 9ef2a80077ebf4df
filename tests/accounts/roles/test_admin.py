"""Every view of the review admin, visited by every role and by a reviewer of another tier."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.applications.models import Application
from accounts.applications.workflow import conversation, decisions
from accounts.review.desk.actions import ACTIONS
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.review.desk.addresses import button_of
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

ABSTRACT = "An abstract that only readers of this tier may see. " * 4
READERS = {Role.REVIEWER, Role.LEAD_REVIEWER, Role.AUDITOR}
DECIDERS = {Role.REVIEWER, Role.LEAD_REVIEWER}
VIEWS = ["changelist", "export", "next", "change", "history", "preview"]


@pytest.fixture
def application(applicant: User, gated_tier: Tier) -> Application:
    return factories.submitted(applicant, gated_tier, {**factories.ANSWERS, "abstract": ABSTRACT})


def opened(client: Client, view: str, application: Application) -> Any:
    """The answer of one view, redirects followed."""
    name = f"admin:accounts_application_{view}"
    if view == "preview":
        return client.post(reverse(name, args=[application.pk, "approve"]), {"days": "9"})
    arguments = [application.pk] if view in {"change", "history"} else []
    return client.get(reverse(name, args=arguments), follow=True)


def text_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode() if answer.streaming else answer.text


def everything_of(application: Application) -> tuple[Any, ...]:
    application.refresh_from_db()
    talked = [
        getattr(application, name).count()
        for name in ("decisions", "remarks", "consultations", "conflicts")
    ]
    return (application.status, application.claimed_by, *talked)


@pytest.mark.slow
@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_what_is_its_own(
    role: Role, client: Client, application: Application
) -> None:
    client.force_login(factories.staff("staff", role))
    for view in VIEWS:
        answer = opened(client, view, application)
        shows = role in (DECIDERS if view in {"next", "preview"} else READERS)
        assert answer.status_code == (200 if shows else 403), view
        assert (application.reference in text_of(answer)) == shows, view


@pytest.mark.parametrize("role", sorted(READERS))
def test_an_application_of_another_tier_does_not_exist(
    role: Role, client: Client, application: Application
) -> None:
    client.force_login(factories.staff("elsewhere", role, factories.tier("another")))
    for view in VIEWS:
        answer = opened(client, view, application)
        if view in {"change", "history", "preview"}:
            assert answer.status_code == 404, view
        if answer.status_code == 200:
            text = text_of(answer)
            assert application.reference not in text, view
            assert "An abstract" not in text, view


@pytest.mark.slow
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.RELEASE_OWNER, Role.ADMINISTRATOR])
def test_other_roles_change_nothing(
    role: Role, client: Client, application: Application, reviewer: User
) -> None:
    remark = conversation.remark(application, "Which data?", by=reviewer, public=True)
    before = everything_of(application)
    client.force_login(factories.staff("staff", role))
    for action in ACTIONS:
        answer = client.post(button_of(application, action), _filled(remark.pk, reviewer.pk))
        assert answer.status_code == (302 if role == Role.AUDITOR else 403), action
        assert everything_of(application) == before, action


@pytest.mark.slow
def test_a_reviewer_of_another_tier_presses_nothing(
    client: Client, application: Application, reviewer: User
) -> None:
    before = everything_of(application)
    client.force_login(factories.staff("elsewhere", Role.LEAD_REVIEWER, factories.tier("another")))
    for action in ACTIONS:
        answer = client.post(button_of(application, action), _filled(1, reviewer.pk))
        assert answer.status_code == 404, action
        assert everything_of(application) == before, action


def test_a_superuser_without_a_role_sees_no_answers(
    client: Client, application: Application
) -> None:
    client.force_login(factories.person("root", is_superuser=True, is_staff=True))
    assert application.reference not in client.get(_list()).text
    assert opened(client, "change", application).status_code == 404


def test_a_member_of_the_public_gets_none_of_it(
    client: Client, application: Application, applicant: User
) -> None:
    for person in (None, applicant):
        if person is not None:
            client.force_login(person)
        for view in VIEWS:
            assert "An abstract" not in text_of(opened(client, view, application))


def test_a_reviewers_own_application_has_no_buttons(client: Client, gated_tier: Tier) -> None:
    own = factories.submitted(factories.staff("applying", Role.LEAD_REVIEWER), gated_tier)
    client.force_login(own.applicant)
    shown = opened(client, "change", own)
    assert "your own application" in shown.text
    assert 'id="decide"' not in shown.text
    assert opened(client, "preview", own).status_code == 403


def test_an_auditor_reads_internal_notes_and_has_no_buttons(
    client: Client, application: Application, reviewer: User, auditor: User
) -> None:
    conversation.remark(application, "Their supervisor wrote to us.", by=reviewer)
    decisions.approve(application, by=reviewer, internal_note="seen at a workshop", confirmed=True)
    client.force_login(auditor)
    shown = opened(client, "change", application)
    assert "Their supervisor wrote to us." in shown.text
    assert "seen at a workshop" in shown.text
    assert "/decide/" not in shown.text


def _list() -> str:
    return reverse("admin:accounts_application_changelist")


def _filled(remark: int, person: int) -> dict[str, Any]:
    """What would do for each button."""
    return {
        "days": "30",
        "note": "A note that is long enough for any verdict to be taken.",
        "return_reasons": "incomplete",
        "reject_reasons": "spam",
        "remark_abstract": "Say more.",
        "ask-colleague": person,
        "ask-question": "Is it good?",
        "assign-to": person,
        "answer-consultation": 1,
        "answer-text": "Yes.",
        "remark-text": "A remark",
        "settle-remark": remark,
        "settle-done": "on",
        "conflict-reason": "we share a grant",
        "reopen-reason": "to look again",
    }
