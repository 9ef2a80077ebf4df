"""An old session or token performs none of the listed acts; a recent one performs each (AD-3)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.errors import RecentAuthenticationRequired
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.recent_authentication.acts import BY_SESSION, BY_TOKEN, NEVER, Act
from tests.recent_authentication.world import World
from tests.support import factories
from weights.api.api import api

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.one_database,
    pytest.mark.usefixtures("store"),
]

CODE = "recent_authentication_required"
#: Beyond the interval for approvals, within the admin's session.
OLD = timedelta(hours=2, minutes=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now()) as traveller:
        yield traveller


@pytest.fixture
def world(client: Client, gated_tier: Tier, applicant: User, clock: Any) -> World:
    return World(client, gated_tier, applicant)


def start(act: Act, world: World) -> User:
    """Prepare an act and sign its person in. Returns the person."""
    person = act.person(world)
    act.prepare(world)
    world.client.force_login(person)
    return person


def reauthenticate(client: Client, **data: str) -> Any:
    return client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD, **data})


def give_token(world: World, person: User, *, recently: bool) -> None:
    world.token = factories.token(person, "write", "admin")
    ApiToken.objects.update(recently_authenticated=recently)


@pytest.mark.requirement("AD-3")
@pytest.mark.parametrize("act", BY_SESSION.values(), ids=list(BY_SESSION))
def test_an_old_session_is_sent_to_reauthenticate_and_changes_nothing(
    act: Act, world: World, clock: time_machine.Traveller
) -> None:
    start(act, world)
    clock.shift(OLD)
    answer = act.attempt(world)
    assert answer.status_code == 302
    assert answer["Location"].startswith(("/accounts/reauthenticate/", "/accounts/2fa/reauth"))
    assert not act.happened(world)


@pytest.mark.requirement("AD-3")
@pytest.mark.parametrize("act", BY_SESSION.values(), ids=list(BY_SESSION))
def test_a_session_that_authenticated_again_performs_the_act(
    act: Act, world: World, clock: time_machine.Traveller
) -> None:
    start(act, world)
    clock.shift(OLD)
    reauthenticate(world.client)
    act.attempt(world)
    assert act.happened(world)


@pytest.mark.requirement("TK-11")
@pytest.mark.parametrize("act", BY_TOKEN.values(), ids=list(BY_TOKEN))
@pytest.mark.parametrize("signed_in", [False, True])
def test_a_token_made_without_recent_authentication_is_refused_with_a_code(
    act: Act, world: World, signed_in: bool
) -> None:
    """Even beside the cookie of a session that has just signed in."""
    person = start(act, world)
    if not signed_in:
        world.client.logout()
    give_token(world, person, recently=False)
    answer = act.attempt(world)
    assert (answer.status_code, answer.json()["code"]) == (403, CODE)
    assert "/settings/tokens/" in answer.json()["error"]
    assert not act.happened(world)


@pytest.mark.parametrize("act", BY_TOKEN.values(), ids=list(BY_TOKEN))
def test_a_token_made_with_recent_authentication_performs_the_act(act: Act, world: World) -> None:
    person = start(act, world)
    world.client.logout()
    give_token(world, person, recently=True)
    assert act.attempt(world).status_code == 200
    assert act.happened(world)


@pytest.mark.requirement("AD-3")
@pytest.mark.parametrize("act", NEVER.values(), ids=list(NEVER))
def test_an_old_session_still_ends_what_is_its_own(
    act: Act, world: World, clock: time_machine.Traveller
) -> None:
    start(act, world)
    clock.shift(OLD)
    act.attempt(world)
    assert act.happened(world)


def test_a_token_without_it_still_reads(world: World, client: Client) -> None:
    _ = world.grant, world.revision
    plain = factories.token(world.applicant, "read-gated", "write")
    ApiToken.objects.update(recently_authenticated=False)
    headers = {"Authorization": f"Bearer {plain}"}
    assert client.get("/acme/gated/resolve/main/w.bin", headers=headers).status_code == 200
    assert client.get("/api/v1/grants", headers=headers).status_code == 200
    assert client.get("/api/whoami-v2", headers=headers).json()["auth"]["accessToken"]["role"] == (
        "read"
    )


def test_the_page_of_tokens_says_which_must_be_replaced(world: World, client: Client) -> None:
    plain_reader = factories.token(world.owner, "read")
    client.force_login(world.owner)
    ApiToken.objects.update(recently_authenticated=False)
    assert plain_reader
    assert "Replace the tokens" not in client.get("/settings/tokens/").text
    factories.token(world.owner, "write")
    assert "Replace the tokens" not in client.get("/settings/tokens/").text
    ApiToken.objects.update(recently_authenticated=False)
    page = client.get("/settings/tokens/").text
    assert "Replace the tokens" in page
    assert page.count("Replace it") == 1


def test_automatic_expiry_asks_nobody(world: World) -> None:
    _ = world.grant
    assert lifecycle.expire_due(Grant.objects.all(), timezone.now() + timedelta(days=4000)) == 1


def test_a_posted_token_form_is_resumed_after_the_password(
    world: World, clock: time_machine.Traveller
) -> None:
    act = BY_SESSION["make a token of scope admin"]
    start(act, world)
    clock.shift(OLD)
    asked = act.attempt(world)
    assert "next=%2Fsettings%2Ftokens%2F" in asked["Location"]
    done = reauthenticate(world.client, next="/settings/tokens/")
    assert "hf_wb" in done.text
    assert act.happened(world)


def test_a_form_with_a_query_in_its_url_is_resumed_too(
    world: World, clock: time_machine.Traveller
) -> None:
    world.client.force_login(world.administrator)
    clock.shift(OLD)
    page = "/admin/accounts/roleassignment/add/"
    role = {"user": world.applicant.pk, "role": "reviewer", "tier": ""}
    world.post(f"{page}?_changelist_filters=role%3Dreviewer", role)
    reauthenticate(world.client, next=page)
    assert world.applicant.roles.exists()


@pytest.mark.parametrize("name", ["set a person's password", "add an account"])
def test_a_posted_password_is_stored_in_no_session(
    name: str, world: World, clock: time_machine.Traveller
) -> None:
    start(BY_SESSION[name], world)
    clock.shift(OLD)
    BY_SESSION[name].attempt(world)
    assert "a new password 2026" not in str([one.get_decoded() for one in Session.objects.all()])


def test_an_account_without_any_method_is_asked_to_sign_in_again(
    world: World, clock: time_machine.Traveller
) -> None:
    world.applicant.set_unusable_password()
    world.applicant.save()
    world.client.force_login(world.applicant)
    clock.shift(OLD)
    for answer in (
        world.post("/accounts/email/", {"action_add": "", "email": "second@example.net"}),
        world.post(
            "/accounts/password/set/",
            {"password1": "a new 2026 word", "password2": "a new 2026 word"},
        ),
    ):
        assert (answer.status_code, answer["X-Error-Code"]) == (403, CODE)
        assert "sign in again" in answer.text
    assert not User.objects.get(pk=world.applicant.pk).has_usable_password()


def test_a_recent_sign_in_counts_without_another_password(
    world: World, clock: time_machine.Traveller
) -> None:
    act = BY_SESSION["make a token of scope admin"]
    start(act, world)
    clock.shift(timedelta(minutes=14))
    act.attempt(world)
    assert act.happened(world)


def test_reviewers_approve_for_two_hours_and_revoke_for_fifteen_minutes(
    world: World, clock: time_machine.Traveller
) -> None:
    act = BY_SESSION["approve an application"]
    start(act, world)
    clock.shift(timedelta(hours=1, minutes=59))
    act.attempt(world)
    assert act.happened(world)
    grant = Grant.objects.get()
    data = {"action": "revoke", "_selected_action": str(grant.pk), "confirmed": "yes"}
    answer = world.post("/admin/accounts/grant/", {**data, "reason": "A leak.", "code": "leak"})
    assert answer["Location"].startswith("/accounts/reauthenticate/")


#: Operations of our API that write: acts on one's own applications, access and links.
OWN = {
    *("application_create", "answers_save", "application_submit", "application_withdraw"),
    *("application_copy", "application_appeal", "application_adopt", "remark_answer"),
    *("licence_accept", "grant_surrender", "link_request", "link_revoke", "file_link"),
    *("document_send", "document_remove"),
}
#: Operations that take a token made after a recent sign-in (tests/weights/api/test_drafts.py).
OF_OWNERS = {"draft_publish", "draft_discard"}


def test_our_api_requires_it_for_drafts_alone_and_has_a_response_for_it(rf: RequestFactory) -> None:
    """An operation that is added here has to be judged: is it an act on what is one's own?"""
    writing = {
        operation["operationId"]
        for operations in api.get_openapi_schema()["paths"].values()
        for method, operation in operations.items()
        if method not in {"get", "head"}
    }
    assert writing == OWN | OF_OWNERS
    request = rf.post("/api/v1/grants")
    answer = api.on_exception(request, RecentAuthenticationRequired("sign in first"))
    assert (answer.status_code, answer["X-Error-Code"]) == (403, CODE)
    assert json.loads(answer.content)["code"] == CODE


@pytest.mark.parametrize("hours", [13, 200])
def test_a_session_of_many_hours_makes_no_token_to_grant_access_with(
    world: World, clock: time_machine.Traveller, hours: int
) -> None:
    """The admin is closed by then, and the page of tokens is no way round it."""
    world.client.force_login(world.lead)
    clock.shift(timedelta(hours=hours))
    answer = BY_SESSION["make a token of scope admin"].attempt(world)
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not ApiToken.objects.exists()
