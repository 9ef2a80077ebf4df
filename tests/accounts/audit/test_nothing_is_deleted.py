"""Nobody can delete grants, decisions or the trail, or see secrets (docs/requirements.md, AD)."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory

from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.review.models.decision import Decision
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

KEPT = [Grant, Decision, AuditEvent]


def asked_by(person: Any) -> Any:
    request = RequestFactory().get("/admin/")
    request.user = person
    return request


@pytest.mark.requirement("AD-4")
@pytest.mark.parametrize("model", KEPT)
def test_the_admin_deletes_no_such_row_not_even_for_a_superuser(
    model: Any, administrator: User
) -> None:
    User.objects.filter(pk=administrator.pk).update(is_superuser=True)
    request = asked_by(User.objects.get(pk=administrator.pk))
    page = admin.site._registry.get(model)
    assert page is None or not page.has_delete_permission(request)
    assert page is None or "delete_selected" not in page.get_actions(request)


@pytest.mark.requirement("AD-4")
def test_no_page_of_the_admin_shows_a_token(
    client: Client, administrator: User, applicant: User
) -> None:
    plain = factories.token(applicant)
    token = ApiToken.objects.get()
    client.force_login(administrator)
    for address in (
        "/admin/accounts/apitoken/",
        f"/admin/accounts/apitoken/{token.pk}/change/",
        f"/admin/accounts/user/{applicant.pk}/change/",
    ):
        text = client.get(address, follow=True).text
        assert plain[3:-4] not in text, address
        assert token.digest not in text, address
        assert applicant.password not in text, address
