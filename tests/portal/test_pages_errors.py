"""Error pages and health."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest
from django.test import Client, RequestFactory

from accounts.web.error_pages import ERRORS, error_page
from portal import views
from portal.health import readiness
from tests.support import factories
from weights.catalogue import views as catalogue

pytestmark = pytest.mark.one_database


@pytest.mark.parametrize("status", sorted(ERRORS))
def test_every_error_has_a_page_with_code_and_next_step(
    rf: RequestFactory, db: None, status: int
) -> None:
    answer = error_page(rf.get("/anything"), status)
    page = answer.content.decode()
    assert answer.status_code == status
    assert f"<code>{answer['X-Error-Code']}</code>" in page
    assert 'class="button" href="/' in page


@pytest.mark.parametrize("status", sorted(ERRORS))
def test_below_api_every_error_is_json(rf: RequestFactory, status: int) -> None:
    answer = error_page(rf.get("/api/anything"), status)
    assert answer["Content-Type"] == "application/json"
    assert b'"code"' in answer.content


@pytest.mark.parametrize("status", [429, 503])
def test_try_again_later_says_when(rf: RequestFactory, db: None, status: int) -> None:
    assert int(error_page(rf.get("/"), status)["Retry-After"]) > 0


def test_an_unknown_address_is_404_with_the_portals_page(client: Client, db: None) -> None:
    answer = client.get("/no/such/page/at/all")
    assert answer.status_code == 404
    assert b"Page not found" in answer.content


def test_an_address_that_is_only_posted_to_is_no_blank_page(client: Client, db: None) -> None:
    client.force_login(factories.person())
    answer = client.get(f"/settings/tokens/{uuid4()}/revoke/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "Method not allowed" in answer.text


@pytest.mark.parametrize(
    ("error", "status"), [(BadRequest, 400), (PermissionDenied, 403), (RuntimeError, 500)]
)
def test_an_exception_of_a_view_becomes_its_error_page(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch, error: type[Exception], status: int
) -> None:
    def fail(*arguments: Any) -> None:
        raise error("words that nobody outside may read")

    # A fault that no view is known to have.
    monkeypatch.setattr(catalogue, "_figures", fail)
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == status
    assert ERRORS[status][2].encode() in answer.content
    assert b"nobody outside" not in answer.content


def test_a_form_that_is_too_long_is_413_and_says_what_to_shorten(client: Client, db: None) -> None:
    client.force_login(factories.person())
    answer = client.post("/settings/tokens/", {"name": "x" * 1024 * 1024})
    assert (answer.status_code, answer["X-Error-Code"]) == (413, "body_too_large")
    assert "shorten the longest text" in answer.text


def test_an_outdated_form_asks_for_a_reload(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/settings/tokens/")
    assert answer.status_code == 403
    assert b"csrf_failed" in answer.content


def test_too_many_is_answered_with_the_portals_page(rf: RequestFactory, db: None) -> None:
    answer = views.too_many(rf.get("/accounts/login/"))
    assert answer.status_code == 429


@pytest.mark.requirement("OP-6")
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_plain(client: Client, db: None, store: Path, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.requirement("OP-6")
def test_a_dead_database_is_not_ready_but_alive(
    db: None, store: Path, monkeypatch: pytest.MonkeyPatch, rf: RequestFactory
) -> None:
    from django.db import OperationalError, connection

    def refuse() -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        # These two answers alone; test_database_away.py cuts a real database off.
        patch.setattr(connection, "cursor", refuse)
        # The result of another test.
        patch.setattr(readiness, "_result", None)
        request: HttpRequest = rf.get("/readyz")
        assert views.readyz(request).status_code == 503
        assert views.healthz(request).status_code == 200
