"""Anyone can revoke a leaked token and learns nothing about it (docs/requirements.md, TK-10)."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

ADDRESS = "/api/credentials/revoke"


def send(client: Client, sent: Any, **headers: str) -> Any:
    return client.post(ADDRESS, sent, content_type="application/json", headers=headers)


def opens(client: Client, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return client.get("/api/whoami-v2", headers=headers).status_code == 200


@pytest.mark.requirement("TK-10")
def test_anyone_revokes_a_token_and_its_owner_is_notified_once(
    client: Client, applicant: User
) -> None:
    token = factories.token(applicant)
    assert opens(client, token)
    answers = [send(client, {"credentials": [token]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert not opens(client, token)
    mail = OutgoingMail.objects.get(kind="token_leaked")
    assert mail.to == applicant.email
    assert token not in mail.text
    assert token[-46:] not in mail.text
    event = AuditEvent.objects.get(action="token.revoked")
    assert (event.actor_id, event.details) == (None, {"cause": "leaked"})


def test_either_spelling_revokes_a_token(client: Client, applicant: User) -> None:
    token = factories.token(applicant)
    former = token.replace("hf_wb", "wb_")
    assert send(client, [former, token]).status_code == 202
    assert not opens(client, token)
    assert not opens(client, former)
    assert OutgoingMail.objects.filter(kind="token_leaked").count() == 1


@pytest.mark.parametrize(
    "sent",
    [
        lambda tokens: tokens,
        lambda tokens: {"credentials": tokens},
        lambda tokens: [{"token": one, "type": "wb", "url": "https://x.example"} for one in tokens],
        lambda tokens: {"found": {"in": [f" {one}\n" for one in tokens]}},
    ],
    ids=["list", "credentials", "scanner", "nested"],
)
def test_several_are_ended_at_once_in_whatever_form_they_come(
    sent: Any, client: Client, applicant: User, other_person: User
) -> None:
    tokens = [factories.token(applicant), factories.token(other_person), "wb_nonsense", "x"]
    assert send(client, sent(tokens)).status_code == 202
    assert not ApiToken.objects.active().exists()
    assert OutgoingMail.objects.filter(kind="token_leaked").count() == 2


def test_the_answer_is_the_same_whether_or_not_a_token_is_known(
    client: Client, applicant: User
) -> None:
    known = send(client, [factories.token(applicant)])
    unknown = send(client, ["wb_" + "0" * 46])
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert "X-Error-Code" not in unknown
    assert {*known.headers} == {*unknown.headers}


def test_malformed_tokens_cost_no_query(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert send(client, ["wb_" + "0" * 46, "hf_abc", "", 7, None]).status_code == 202


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"[", "application/json", 400, "body_not_json"),
        (b'"\xff"', "application/json", 400, "body_not_utf8"),
        (b"[" * 40 + b"]" * 40, "application/json", 400, "body_too_deep"),
        (b"[" + b"1," * 1000 + b"1]", "application/json", 400, "body_too_long"),
        (b'"' + b"x" * 1024 * 1024 + b'"', "application/json", 413, "body_too_large"),
        (b"wb_x", "text/plain", 415, "unsupported_media_type"),
    ],
    ids=["no JSON", "no UTF-8", "deep", "long", "large", "type"],
)
def test_an_unreadable_body_is_refused_with_its_code(
    body: bytes, content_type: str, status: int, code: str, client: Client
) -> None:
    answer: Any = client.post(ADDRESS, body, content_type=content_type)
    assert (answer.status_code, answer["X-Error-Code"]) == (status, code)
    assert answer.json()["code"] == code


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_it_is_sent_by_post_alone(method: str, client: Client) -> None:
    answer = client.generic(method, ADDRESS)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_it_needs_no_csrf_token_and_looks_at_no_cookie(applicant: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(applicant)
    answer = send(client, [factories.token(applicant)])
    assert answer.status_code == 202
    assert "Set-Cookie" not in answer.headers
