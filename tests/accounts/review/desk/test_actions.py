"""The registry of actions: every action is complete, and an unknown action is refused."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.workflow import decisions
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed, NotFound
from accounts.mail.models import OutgoingMail
from accounts.review.desk.actions import ACTIONS, REVIEW, VERDICTS, get_action
from accounts.review.forms import ActionForm
from accounts.review.models import Decision
from accounts.review.reasons import Reason
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.review.desk.addresses import button_of, page_of
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.mark.parametrize("name", list(ACTIONS))
def test_every_action_has_a_form_a_permission_and_a_service(
    name: str, application: Application, reviewer: User
) -> None:
    action = ACTIONS[name]
    app, _, codename = action.permission.partition(".")
    assert action.name == name
    assert action.label
    assert Permission.objects.filter(content_type__app_label=app, codename=codename).exists()
    assert isinstance(action.bind(application, reviewer), ActionForm)
    assert callable(action.service)
    assert callable(action.is_offered)
    assert button_of(application, name).endswith(f"/decide/{name}/")


def test_no_two_actions_share_a_service() -> None:
    services = [action.service for action in ACTIONS.values()]
    assert len(set(services)) == len(services)


def test_verdicts_are_the_actions_whose_mails_are_previewed() -> None:
    assert set(VERDICTS) == set(Decision.Verdict.values)
    assert len({ACTIONS[name].key for name in VERDICTS}) == len(VERDICTS)


@pytest.mark.slow
def test_actions_that_give_or_end_access_ask_who_it_is(
    desk: Client, application: Application, lead_reviewer: User, gated_tier: Tier
) -> None:
    def asks(name: str, about: Application, data: dict[str, str] | None = None) -> bool:
        answer = desk.post(button_of(about, name), data)
        return answer.get("Location", "").startswith("/accounts/reauthenticate/")

    decided = factories.submitted(factories.person(), gated_tier)
    decisions.reject(
        decided, by=lead_reviewer, reasons=[Reason.SPAM], note="It describes no research at all."
    )
    with time_machine.travel(timezone.now()) as clock:
        desk.force_login(lead_reviewer)
        clock.shift(timedelta(hours=2, minutes=1))
        assert asks("approve", application, {"days": "30"})
        assert asks("reopen", decided, {"reopen-reason": "the affiliation ended"})
        assert not asks("claim", application)
        application.refresh_from_db()
        assert application.claimed_by == lead_reviewer
        others = [name for name in ACTIONS if name not in {"approve", "reopen", "claim"}]
        assert [name for name in others if asks(name, application)] == []


def test_an_unknown_action_is_refused_and_changes_nothing(
    desk: Client, application: Application
) -> None:
    before = _state(application)
    answer = desk.post(button_of(application, "assign-all"), {"to": "1"}, follow=True)
    assert answer.redirect_chain == [(page_of(application), 302)]
    assert "There is no action" in answer.text
    preview = reverse("admin:accounts_application_preview", args=[application.pk, "assign-all"])
    assert desk.post(preview).status_code == 403
    assert _state(application) == before


@pytest.mark.slow
def test_an_action_that_is_no_verdict_has_no_preview(
    desk: Client, application: Application
) -> None:
    for name in set(ACTIONS) - set(VERDICTS):
        address = reverse("admin:accounts_application_preview", args=[application.pk, name])
        assert desk.post(address).status_code == 403, name


def test_get_action_names_the_reason_of_a_refusal(reviewer: User, auditor: User) -> None:
    with pytest.raises(NotFound, match="no action 'delete'"):
        get_action("delete", reviewer)
    with pytest.raises(NotAllowed):
        get_action("reopen", reviewer)
    for name in ACTIONS:
        with pytest.raises(NotAllowed):
            get_action(name, auditor)
    assert get_action("claim", reviewer).permission == REVIEW


def test_names_of_actions_are_slugs(application: Application) -> None:
    with pytest.raises(NoReverseMatch):
        button_of(application, "not/a slug")


def _state(application: Application) -> tuple[Any, ...]:
    application.refresh_from_db()
    counts = (OutgoingMail.objects.count(), AuditEvent.objects.about(application).count())
    return (application.status, application.claimed_by, application.decisions.count(), *counts)
