"""Access requests managed with the Hub's own client, and refusals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError
from huggingface_hub.hf_api import AccessRequest
from pytest_django import Settings

from accounts.applications.models import Application
from accounts.applications.workflow import decisions, submission
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import NotFound
from accounts.grants.models import Grant
from accounts.grants.queries import tiers_open_to
from accounts.review import access_requests as domain
from accounts.review.models import Decision
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from weights.hub_api import access_requests
from weights.publishing.models import Revision

REPO = "acme/gated"
LISTS = ["pending", "accepted", "rejected"]


@pytest.fixture
def gated(portal: Portal, gated_tier: Tier) -> Revision:
    return factories.published(REPO, gated_tier, {"w.bin": b"weights"})


@pytest.fixture
def client_of(portal: Portal) -> Callable[..., HfApi]:
    """The client with a token of this person; of scope `admin` unless another is named."""

    def of(user: User, *scopes: str) -> HfApi:
        token = factories.token(user, *(scopes or ["admin"]))
        return HfApi(endpoint=portal.url, token=token, headers={"X-Confirmed": "true"})

    return of


@pytest.fixture
def lead(gated: Revision, client_of: Callable[..., HfApi], lead_reviewer: User) -> HfApi:
    return client_of(lead_reviewer)


@pytest.fixture
def opens(gated: Revision, client_of: Callable[..., HfApi], applicant: User) -> Callable[[], bool]:
    """Returns a function that tries to download the file as the applicant."""
    api = client_of(applicant, "read-gated")

    def now() -> bool:
        try:
            api.get_hf_file_metadata(url=f"{api.endpoint}/{REPO}/resolve/main/w.bin")
        except GatedRepoError:
            return False
        return True

    return now


def lists(api: HfApi) -> dict[str, list[AccessRequest]]:
    found = {
        "pending": list(api.list_pending_access_requests(REPO)),
        "accepted": list(api.list_accepted_access_requests(REPO)),
        "rejected": list(api.list_rejected_access_requests(REPO)),
    }
    assert all(one.status == name for name, requests in found.items() for one in requests)
    return found


def where(api: HfApi, user: User) -> list[str]:
    """The lists that contain this person."""
    return [
        name
        for name, requests in lists(api).items()
        for one in requests
        if one.username == user.username
    ]


def status(call: Callable[..., Any], *facts: Any, **named: Any) -> int:
    """The status of the refusal with which this call of the client ends."""
    with pytest.raises(HfHubHTTPError) as refused:
        call(*facts, **named)
    response = refused.value.response
    assert response.json()["code"]
    assert response.headers["X-Error-Message"]
    return response.status_code


# -- the client's calls ----------------------------------------------------------------


def test_a_request_is_listed_with_person_and_answers(
    lead: HfApi, applicant: User, gated_tier: Tier
) -> None:
    application = factories.submitted(applicant, gated_tier)
    submission.start(factories.person(), gated_tier)  # a draft is no request
    (one,) = lead.list_pending_access_requests(REPO)
    assert (one.username, one.fullname) == (applicant.username, applicant.display_name)
    assert (one.email, one.request_id) == (applicant.email, str(application.public_id))
    assert one.fields == factories.ANSWERS
    assert application.submitted_at is not None
    assert abs((one.timestamp - application.submitted_at).total_seconds()) < 0.001


def test_a_request_moves_through_all_the_lists_and_access_follows_at_once(
    lead: HfApi, opens: Callable[[], bool], applicant: User, gated_tier: Tier
) -> None:
    factories.submitted(applicant, gated_tier)
    name = applicant.username
    assert (where(lead, applicant), opens()) == (["pending"], False)
    lead.accept_access_request(REPO, name)
    assert (where(lead, applicant), opens()) == (["accepted"], True)
    lead.cancel_access_request(REPO, name)
    assert (where(lead, applicant), opens()) == (["pending"], False)
    lead.accept_access_request(REPO, name)
    assert (where(lead, applicant), opens()) == (["accepted"], True)
    lead.reject_access_request(REPO, name, rejection_reason="The project has ended.")
    assert (where(lead, applicant), opens()) == (["rejected"], False)
    assert Grant.objects.order_by("pk").last().end_reason == "The project has ended."  # type: ignore[union-attr]
    lead.accept_access_request(REPO, name)
    assert (where(lead, applicant), opens()) == (["accepted"], True)


def test_a_rejection_states_its_reason(lead: HfApi, applicant: User, gated_tier: Tier) -> None:
    factories.submitted(applicant, gated_tier)
    lead.reject_access_request(REPO, applicant.username, rejection_reason="Too vague.")
    decision = Decision.objects.get()
    assert (decision.reasons, decision.note) == (["unspecified"], "Too vague.")
    assert where(lead, applicant) == ["rejected"]


def test_a_rejection_needs_no_reason(lead: HfApi, applicant: User, gated_tier: Tier) -> None:
    factories.submitted(applicant, gated_tier)
    lead.reject_access_request(REPO, applicant.username, rejection_reason=None)
    assert where(lead, applicant) == ["rejected"]


def test_a_request_is_moved_by_its_id(lead: HfApi, applicant: User, gated_tier: Tier) -> None:
    factories.submitted(applicant, gated_tier)
    (one,) = lead.list_pending_access_requests(REPO)
    lead.accept_access_request(REPO, request_id=one.request_id)
    assert where(lead, applicant) == ["accepted"]


def test_access_is_granted_without_a_request_and_taken_back(
    lead: HfApi, opens: Callable[[], bool], applicant: User
) -> None:
    lead.grant_access(REPO, applicant.username)
    (one,) = lead.list_accepted_access_requests(REPO)
    assert (one.request_id, one.fields) == (str(Grant.objects.get().public_id), {})
    assert opens()
    lead.reject_access_request(REPO, request_id=one.request_id, rejection_reason=None)
    assert (where(lead, applicant), opens()) == (["rejected"], False)


def test_access_given_by_a_client_ends_with_its_day_as_in_the_admin(
    lead: HfApi, applicant: User, gated_tier: Tier
) -> None:
    other = factories.person("second")
    factories.submitted(other, gated_tier)
    lead.grant_access(REPO, applicant.username)
    lead.accept_access_request(REPO, other.username)
    assert Grant.objects.count() == 2
    for grant in Grant.objects.all():
        assert f"{grant.expires_at:%H:%M:%S}" == "23:59:00"


def test_a_grant_beside_the_queue_is_cancelled_into_it(
    lead: HfApi, opens: Callable[[], bool], applicant: User, gated_tier: Tier
) -> None:
    application = factories.submitted(applicant, gated_tier)
    lead.grant_access(REPO, applicant.username)
    assert where(lead, applicant) == ["accepted"]
    lead.cancel_access_request(REPO, applicant.username)
    assert (where(lead, applicant), opens()) == (["pending"], False)
    assert Application.objects.get() == application


def test_a_plain_reviewer_lists_accepts_and_rejects(
    gated: Revision, client_of: Callable[..., HfApi], reviewer: User, gated_tier: Tier
) -> None:
    api, one, other = client_of(reviewer), factories.person(), factories.person()
    for user in (one, other):
        factories.submitted(user, gated_tier)
    api.accept_access_request(REPO, one.username)
    api.reject_access_request(REPO, other.username, rejection_reason=None)
    assert (where(api, one), where(api, other)) == (["accepted"], ["rejected"])


# -- refusals --------------------------------------------------------------------------


def calls(api: HfApi, name: str) -> list[int]:
    """The refusal status of every call that the client offers."""
    return [
        status(lambda: list(api.list_pending_access_requests(REPO))),
        status(lambda: list(api.list_accepted_access_requests(REPO))),
        status(lambda: list(api.list_rejected_access_requests(REPO))),
        status(api.accept_access_request, REPO, name),
        status(api.reject_access_request, REPO, name, rejection_reason=None),
        status(api.cancel_access_request, REPO, name),
        status(api.grant_access, REPO, name),
    ]


def test_without_a_token_all_is_refused(
    gated: Revision, portal: Portal, applicant: User, gated_tier: Tier
) -> None:
    factories.submitted(applicant, gated_tier)
    api = HfApi(endpoint=portal.url, token=False)
    assert set(calls(api, applicant.username)) == {401}


def test_without_the_scope_all_is_refused(
    gated: Revision,
    client_of: Callable[..., HfApi],
    lead_reviewer: User,
    applicant: User,
    gated_tier: Tier,
) -> None:
    factories.submitted(applicant, gated_tier)
    api = client_of(lead_reviewer, "read", "read-gated", "write")
    assert set(calls(api, applicant.username)) == {403}
    assert gated_tier not in tiers_open_to(applicant)


@pytest.mark.parametrize("role", [None, *Role])
def test_the_scope_alone_is_no_right(
    gated: Revision,
    client_of: Callable[..., HfApi],
    applicant: User,
    gated_tier: Tier,
    role: Role | None,
) -> None:
    """Neither strangers, nor other roles, nor reviewers of another tier."""
    factories.submitted(applicant, gated_tier)
    another = factories.tier("another")
    user = factories.staff("staff", role, another) if role else factories.person()
    assert set(calls(client_of(user), applicant.username)) == {403}
    assert gated_tier not in tiers_open_to(applicant)


def test_an_acceptance_with_open_remarks_needs_the_confirming_header(
    lead: HfApi, lead_reviewer: User, applicant: User, gated_tier: Tier
) -> None:
    application = factories.submitted(applicant, gated_tier)
    application.remarks.create(author=lead_reviewer, text="Which data?")
    plain = HfApi(endpoint=lead.endpoint, token=factories.token(lead_reviewer, "admin"))
    with pytest.raises(HfHubHTTPError) as refused:
        plain.accept_access_request(REPO, applicant.username)
    answer = refused.value.response
    assert (answer.status_code, answer.json()["code"]) == (409, "confirmation_required")
    assert "open remark: Which data?" in answer.json()["error"]
    assert "X-Confirmed: true" in answer.json()["error"]
    assert where(plain, applicant) == ["pending"]
    lead.accept_access_request(REPO, applicant.username)
    assert where(plain, applicant) == ["accepted"]


def test_a_plain_reviewer_neither_cancels_nor_grants_nor_revokes(
    gated: Revision,
    client_of: Callable[..., HfApi],
    reviewer: User,
    applicant: User,
    gated_tier: Tier,
) -> None:
    api, name = client_of(reviewer), applicant.username
    factories.submitted(applicant, gated_tier)
    api.accept_access_request(REPO, name)
    assert status(api.cancel_access_request, REPO, name) == 403
    assert status(api.reject_access_request, REPO, name, rejection_reason=None) == 403
    assert status(api.grant_access, REPO, factories.person().username) == 403
    assert where(api, applicant) == ["accepted"]


def test_nobody_decides_their_own(lead: HfApi, lead_reviewer: User, gated_tier: Tier) -> None:
    factories.submitted(lead_reviewer, gated_tier)
    assert status(lead.accept_access_request, REPO, lead_reviewer.username) == 403
    assert status(lead.grant_access, REPO, lead_reviewer.username) == 403


def test_an_unknown_person_or_request_is_not_found(lead: HfApi, applicant: User) -> None:
    assert status(lead.grant_access, REPO, "nobody-here") == 404
    assert status(lead.accept_access_request, REPO, "nobody-here") == 404
    assert status(lead.accept_access_request, REPO, applicant.username) == 404
    for unknown in ("no-uuid", "00000000-0000-4000-8000-000000000000"):
        assert status(lead.accept_access_request, REPO, request_id=unknown) == 404


def test_a_request_is_not_moved_to_where_it_is(
    lead: HfApi, applicant: User, gated_tier: Tier
) -> None:
    factories.submitted(applicant, gated_tier)
    name = applicant.username
    assert status(lead.cancel_access_request, REPO, name) == 404
    lead.accept_access_request(REPO, name)
    assert status(lead.accept_access_request, REPO, name) == 404
    lead.reject_access_request(REPO, name, rejection_reason=None)
    assert status(lead.reject_access_request, REPO, name, rejection_reason=None) == 404


def test_a_holder_is_not_granted_access_again(lead: HfApi, applicant: User) -> None:
    lead.grant_access(REPO, applicant.username)
    assert status(lead.grant_access, REPO, applicant.username) == 400
    assert Grant.objects.count() == 1


def test_a_reason_is_bounded(lead: HfApi, applicant: User, gated_tier: Tier) -> None:
    factories.submitted(applicant, gated_tier)
    reject, name = lead.reject_access_request, applicant.username
    assert status(reject, REPO, name, rejection_reason="x" * 201) == 400
    assert where(lead, applicant) == ["pending"]
    reject(REPO, name, rejection_reason="x" * 200)


def test_an_open_checkpoint_has_no_requests(lead: HfApi, applicant: User) -> None:
    factories.published("acme/open", files={"w.bin": b"weights"})
    assert status(lead.grant_access, "acme/open", applicant.username) == 400
    assert status(lead.accept_access_request, "acme/open", applicant.username) == 400
    assert status(lambda: list(lead.list_pending_access_requests("acme/open"))) == 400


# -- the wire --------------------------------------------------------------------------


@pytest.fixture
def address(store: Path, gated_tier: Tier) -> str:
    factories.published(REPO, gated_tier, {"w.bin": b"weights"})
    return f"/api/models/{REPO}/user-access-request"


@pytest.fixture
def headers(lead_reviewer: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {factories.token(lead_reviewer, 'admin')}"}


@pytest.mark.parametrize("standing", LISTS)
def test_each_list_is_paged(
    client: Client,
    address: str,
    headers: dict[str, str],
    gated_tier: Tier,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    standing: str,
) -> None:
    # A bound made small: five people make three pages.
    monkeypatch.setattr(access_requests, "PAGE_SIZE", 2)
    people = [factories.person() for _ in range(5)]
    for user in people:
        application = factories.submitted(user, gated_tier)
        if standing == "accepted":
            decisions.approve(application, by=reviewer, confirmed=True)
        if standing == "rejected":
            decisions.reject(application, by=reviewer, reasons=["unspecified"], note="")
    url, pages = f"{address}/{standing}", []
    while url:
        response = client.get(url, headers=headers)
        pages.append([one["user"]["user"] for one in response.json()])
        link = response.headers.get("Link", "")
        assert not link or link.endswith('>; rel="next"')
        url = link[1:].partition(">")[0]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page] == [user.username for user in people]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        {"user": "applicant"},
        {"status": "accepted"},
        {"user": "applicant", "status": "granted"},
        {"user": "applicant", "status": ["accepted"]},
        {"user": 1, "status": "accepted"},
        {"user": "applicant", "requestId": "x", "status": "accepted"},
        {"user": "applicant", "status": "accepted", "rejectionReason": "why"},
        {"user": "applicant", "status": "rejected", "rejectionReason": {}},
    ],
    ids=lambda body: str(body)[:60],
)
def test_an_incomplete_body_is_a_bad_request(
    client: Client,
    address: str,
    headers: dict[str, str],
    applicant: User,
    gated_tier: Tier,
    body: Any,
) -> None:
    factories.submitted(applicant, gated_tier)
    sent = body if isinstance(body, bytes) else json.dumps(body)
    response = client.post(
        f"{address}/handle", sent, content_type="application/json", headers=headers
    )
    assert (response.status_code, response.json()["code"]) == (400, "invalid_value")
    assert response["X-Error-Message"]


@pytest.mark.parametrize("second", ["rejected", "accepted"])
def test_the_second_of_two_decisions_at_once_is_refused(
    client: Client,
    address: str,
    headers: dict[str, str],
    applicant: User,
    reviewer: User,
    gated_tier: Tier,
    monkeypatch: pytest.MonkeyPatch,
    second: str,
) -> None:
    application = factories.submitted(applicant, gated_tier)
    find = domain.get_request

    def found_and_then_approved(*facts: Any, **named: Any) -> domain.AccessRequest:
        found = find(*facts, **named)
        factories.approved(application, reviewer)
        return found

    # The real one still finds; another decision falls just behind it.
    monkeypatch.setattr(domain, "get_request", found_and_then_approved)
    body = {"user": applicant.username, "status": second}
    answer: Any = client.post(
        f"{address}/handle", body, content_type="application/json", headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "just decided by somebody else" in answer.json()["error"]
    assert Grant.objects.live().filter(user=applicant).count() == 1
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("second", ["rejected", "pending"])
def test_a_stale_request_does_not_move_a_person_who_was_decided_meanwhile(
    applicant: User, lead_reviewer: User, reviewer: User, gated_tier: Tier, second: str
) -> None:
    application = factories.submitted(applicant, gated_tier)
    factories.approved(application, reviewer)
    found = domain.get_request(gated_tier, by=lead_reviewer, username=applicant.username)
    again = decisions.reopen(applicant, gated_tier, by=lead_reviewer)
    move = {"rejected": domain.reject, "pending": domain.cancel}[second]
    with pytest.raises(NotFound, match="just decided"):
        move(found, gated_tier, by=lead_reviewer)
    again.refresh_from_db()
    assert again.status == "submitted"


def test_a_grant_answers_an_empty_object(
    client: Client, address: str, headers: dict[str, str], applicant: User
) -> None:
    sent: dict[str, Any] = {"content_type": "application/json", "headers": headers}
    assert client.post(f"{address}/grant", {}, **sent).status_code == 400
    response = client.post(f"{address}/grant", {"user": applicant.username}, **sent)
    assert (response.status_code, response.json()) == (200, {})


@pytest.mark.requirement("AD-7")
def test_one_lead_gives_nobody_access_to_a_tier_of_two_approvals(
    client: Client,
    address: str,
    headers: dict[str, str],
    applicant: User,
    reviewer: User,
    gated_tier: Tier,
    settings: Settings,
) -> None:
    settings.SINGLE_OPERATOR = False
    Tier.objects.update(approvals_needed=2)
    sent: dict[str, Any] = {"content_type": "application/json", "headers": headers}
    bodies = [client.post(f"{address}/grant", {"user": "applicant"}, **sent) for _ in range(2)]
    request = ChangeRequest.objects.get()
    for response in bodies:
        assert (response.status_code, response["X-Error-Code"]) == (403, "second_person_required")
        assert response.json()["code"] == "second_person_required"
        assert response.json()["request"] == settings.PUBLIC_URL + request.path
        assert request.path in response["X-Error-Message"]
    assert not Grant.objects.exists()
    change_requests.confirm(request, by=reviewer, reason="I know the project.")
    assert Grant.objects.live().get().user == applicant


def test_one_lead_gives_access_to_a_tier_of_one_approval(
    client: Client, address: str, headers: dict[str, str], settings: Settings, applicant: User
) -> None:
    settings.SINGLE_OPERATOR = False
    sent: dict[str, Any] = {"content_type": "application/json", "headers": headers}
    assert client.post(f"{address}/grant", {"user": "applicant"}, **sent).status_code == 200
    assert Grant.objects.live().get().user == applicant


def test_addresses_take_their_methods_alone(
    client: Client, address: str, headers: dict[str, str]
) -> None:
    assert client.get(f"{address}/handle", headers=headers)["Allow"] == "POST"
    assert client.get(f"{address}/grant", headers=headers)["Allow"] == "POST"
    assert client.post(f"{address}/pending", headers=headers)["Allow"] == "GET, HEAD"
    assert client.get(f"{address}/elsewhere", headers=headers).status_code == 404


def test_a_browser_session_is_no_token(client: Client, address: str, lead_reviewer: User) -> None:
    client.force_login(lead_reviewer)
    response = client.get(f"{address}/pending")
    assert (response.status_code, response["X-Refusal-Code"]) == (401, "login_required")


@pytest.mark.parametrize("repo_id", ["acme/hidden", "acme/absent", "absent"])
def test_a_private_checkpoint_looks_like_an_unknown_one(
    client: Client, address: str, headers: dict[str, str], gated_tier: Tier, repo_id: str
) -> None:
    factories.published("acme/hidden", gated_tier, {"w.bin": b"weights"}, private=True)
    response = client.get(f"/api/models/{repo_id}/user-access-request/pending", headers=headers)
    assert (response.status_code, response["X-Error-Code"]) == (404, "RepoNotFound")
