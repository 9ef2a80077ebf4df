"""Nothing that a browser sends to the reviewers' desk makes it fail."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.applications.models import Application
from accounts.users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.slow]

LIST = reverse("admin:accounts_application_changelist")
EXPORT = reverse("admin:accounts_application_export")
NEXT = reverse("admin:accounts_application_next")
HOSTILE = ["nonsense", "\0", "9" * 40]
MENUS = ["desk", "state", "tier", "age", "due", "claimer", "flag", "kind", "q", "o", "p", "other"]


@pytest.fixture
def desk(client: Client, lead_reviewer: User) -> Client:
    client.force_login(lead_reviewer)
    return client


@pytest.mark.requirement("HT-6")
def test_no_query_breaks_the_list_or_the_export(desk: Client, application: Application) -> None:
    for value in HOSTILE:
        for menu in MENUS:
            assert desk.get(LIST, {menu: value}).status_code in {200, 302}, (menu, value)
        for menus in (MENUS, MENUS[:-2]):
            answer = desk.get(EXPORT, dict.fromkeys(menus, value))
            assert answer.status_code in {200, 302}, (menus, value)


def test_no_number_breaks_a_page(desk: Client, application: Application) -> None:
    for value in HOSTILE:
        assert desk.get(NEXT, {"after": value}).status_code == 302
    for number in ("9" * 40, "abc", "٣"):
        assert desk.get(f"{LIST}{number}/change/").status_code == 404
    assert desk.post(f"{LIST}{'9' * 40}/decide/approve/").status_code == 404


@pytest.mark.requirement("HT-6")
def test_no_form_breaks_a_button(desk: Client, application: Application) -> None:
    names = [
        *("days", "note", "return_reasons", "reject_reasons", "check_identity", "remark_abstract"),
        *(
            "seen",
            "ask-colleague",
            "assign-to",
            "answer-consultation",
            "settle-remark",
            "remark-field",
        ),
    ]
    for value in HOSTILE:
        data = dict.fromkeys(names, value)
        for action in ("approve", "return", "reject", "ask", "answer", "settle", "assign", "none"):
            place = reverse("admin:accounts_application_decide", args=[application.pk, action])
            assert desk.post(place, data).status_code in {200, 302}, (action, value)
        for verdict in ("approve", "return", "reject"):
            place = reverse("admin:accounts_application_preview", args=[application.pk, verdict])
            assert desk.post(place, data).status_code in {200, 403}, (verdict, value)


def test_no_choice_breaks_a_batch(desk: Client, application: Application) -> None:
    for value in HOSTILE:
        data = {"action": "assign_all", "_selected_action": value, "confirmed": "1", "to": value}
        assert desk.post(LIST, data).status_code in {200, 302, 404}, value
