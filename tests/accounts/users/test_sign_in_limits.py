"""Guessing is limited with 429, for registered and unknown names equally."""

import time
from collections.abc import Iterator

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client
from pytest_django import Settings

from accounts.mail.models import OutgoingMail
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit
from accounts.roles.permissions import Role
from accounts.users import throttling
from tests.support import factories
from tests.support.counters import away, spend
from tests.support.totp import current_code

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture(autouse=True)
def still_clock() -> Iterator[None]:
    """Hashing passwords takes seconds on a loaded machine, and waiting times would shrink."""
    with time_machine.travel(time.time(), tick=False):
        yield


@pytest.mark.requirement("AC-1", "AC-9")
@pytest.mark.parametrize("name", ["known", "nobody"])
def test_the_eleventh_wrong_password_is_429_with_a_wait(name: str, client: Client) -> None:
    factories.person("known")
    form = {"login": name, "password": "wrong password 1"}
    responses = [client.post("/accounts/login/", form).status_code for _ in range(11)]
    assert responses == [200] * 10 + [429]
    refused = client.post("/accounts/login/", form)
    assert int(refused["Retry-After"]) > 0
    assert "rate_limited" in refused.text


def test_another_person_still_signs_in_meanwhile(client: Client) -> None:
    factories.person("known")
    other = factories.person("other")
    for _ in range(6):
        client.post("/accounts/login/", {"login": "known", "password": "wrong password 1"})
    done = client.post("/accounts/login/", {"login": "other", "password": factories.PASSWORD})
    assert done.status_code == 302
    assert client.session["_auth_user_id"] == str(other.pk)


@pytest.mark.requirement("AC-9")
def test_retry_after_is_exact(client: Client) -> None:
    factories.person("known")
    form = {"login": "known", "password": "wrong password 1"}
    refused = [client.post("/accounts/login/", form) for _ in range(11)][-1]
    assert 295 <= int(refused["Retry-After"]) <= 300
    later = time.time() + int(refused["Retry-After"]) + 1
    with time_machine.travel(later):
        assert client.post("/accounts/login/", form).status_code == 200


@pytest.mark.requirement("AC-4")
def test_the_sixth_sign_up_of_an_address_waits_an_hour(client: Client) -> None:
    responses = [client.post("/accounts/signup/", {"username": f"new{n}"}) for n in range(6)]
    assert [response.status_code for response in responses] == [200] * 5 + [429]
    assert 3590 <= int(responses[-1]["Retry-After"]) <= 3600
    elsewhere = client.post("/accounts/signup/", {"username": "new"}, REMOTE_ADDR="192.0.2.1")
    assert elsewhere.status_code == 200
    with time_machine.travel(time.time() + int(responses[-1]["Retry-After"]) + 1):
        assert client.post("/accounts/signup/", {"username": "new"}).status_code == 200


@pytest.mark.requirement("AC-3", "AC-11")
def test_the_sixth_reset_of_an_address_waits_a_day_known_or_not(client: Client) -> None:
    factories.person("known")
    for address in ("known@example.org", "nobody@example.org"):
        responses = [client.post("/accounts/password/reset/", {"email": address}) for _ in range(6)]
        assert [response.status_code for response in responses] == [302] * 5 + [429]
        assert 86_390 <= int(responses[-1]["Retry-After"]) <= 86_400


@pytest.mark.requirement("AC-3")
def test_a_fourth_confirmation_to_one_address_waits_six_hours_whoever_requests_it() -> None:
    factories.person("grace", confirmed=False)
    form = {"login": "grace", "password": factories.PASSWORD}

    def mails(attempts: int) -> int:
        """Sign in from that many networks; each attempt requests a confirmation mail."""
        for number in range(attempts):
            Client().post("/accounts/login/", form, REMOTE_ADDR=f"192.0.2.{number}")
        return OutgoingMail.objects.filter(to="grace@example.org").count()

    began = time.time()
    with time_machine.travel(began) as clock:
        assert mails(4) == 3
        clock.move_to(began + 6 * 3600 - 60)
        assert mails(1) == 3
        clock.move_to(began + 6 * 3600 + 60)
        assert mails(4) == 6


@pytest.mark.requirement("AC-1")
def test_all_people_together_have_a_limit_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A smaller limit: the real one takes a thousand attempts.
    monkeypatch.setattr(throttling, "SIGN_INS", Limit("sign-in", 3, 300))
    names = ["one", "two", "three", "four"]
    responses = [
        client.post(
            "/accounts/login/",
            {"login": name, "password": "wrong password 1"},
            REMOTE_ADDR=f"192.0.2.{number}",
        )
        for number, name in enumerate(names)
    ]
    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert 95 <= int(responses[-1]["Retry-After"]) <= 100


@pytest.mark.slow
@pytest.mark.requirement("AC-1")
def test_the_eleventh_sign_in_of_an_address_is_429_though_all_before_succeeded() -> None:
    factories.person("known")
    form = {"login": "known", "password": factories.PASSWORD}
    responses = [Client().post("/accounts/login/", form) for _ in range(11)]
    assert [response.status_code for response in responses] == [302] * 10 + [429]
    elsewhere = Client().post("/accounts/login/", form, REMOTE_ADDR="192.0.2.1")
    assert elsewhere.status_code == 429, "the name is counted too"


@pytest.mark.slow
@pytest.mark.requirement("AC-1")
def test_sign_ins_that_succeed_take_nothing_from_other_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A smaller limit with the same window.
    monkeypatch.setattr(throttling, "SIGN_INS", Limit("sign-in", 2, 300))
    factories.person("known")
    form = {"login": "known", "password": factories.PASSWORD}
    assert {Client().post("/accounts/login/", form).status_code for _ in range(6)} == {302}
    wrong = form | {"password": "wrong password 1"}
    responses = [Client().post("/accounts/login/", wrong).status_code for _ in range(3)]
    assert responses == [200, 200, 429]
    assert Client().post("/accounts/login/", form).status_code == 429, "nobody guesses on"


@pytest.mark.parametrize("end", ["", "@example.org"])
def test_a_username_that_is_too_long_is_refused_with_the_limit(client: Client, end: str) -> None:
    page = client.post("/accounts/login/", {"login": "x" * 60_000 + end, "password": "x"})
    assert page.status_code == 200
    assert "at most 254 characters" in page.text


@pytest.mark.parametrize(
    ("address", "field"),
    [
        *(("/accounts/signup/", "username"), ("/accounts/signup/", "email")),
        ("/accounts/password/reset/", "email"),
    ],
)
def test_other_forms_take_no_longer_names_either(client: Client, address: str, field: str) -> None:
    page = client.post(address, {field: "x" * 60_000})
    assert page.status_code == 200
    assert "characters" in page.text


@pytest.mark.requirement("AC-2")
def test_the_sixth_code_of_a_second_factor_is_429(client: Client) -> None:
    person = factories.person("known")
    Authenticator.objects.create(user=person, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    signed_in = client.post("/accounts/login/", {"login": "known", "password": factories.PASSWORD})
    assert signed_in["Location"].startswith("/accounts/2fa/authenticate")
    responses = [client.post(signed_in["Location"], {"code": "000000"}) for _ in range(6)]
    assert [response.status_code for response in responses] == [200] * 5 + [429]
    assert 55 <= int(responses[-1]["Retry-After"]) <= 60


@pytest.mark.requirement("AC-2")
def test_the_twenty_first_code_of_an_hour_waits_however_slowly_they_came(client: Client) -> None:
    person = factories.person("known")
    Authenticator.objects.create(user=person, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    spend(buckets.SECOND_FACTOR[1], str(person.pk), 19)
    signed_in = client.post("/accounts/login/", {"login": "known", "password": factories.PASSWORD})
    twentieth, next_one = (client.post(signed_in["Location"], {"code": "000000"}) for _ in range(2))
    assert (twentieth.status_code, next_one.status_code) == (200, 429)
    assert 170 <= int(next_one["Retry-After"]) <= 180  # 20 refill in an hour


@pytest.mark.requirement("AC-10")
def test_without_counters_sign_up_and_resets_are_refused_with_the_cause(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    factories.person("known")
    with away(settings):
        for path, form in (
            ("/accounts/signup/", {"username": "new"}),
            ("/accounts/password/reset/", {"email": "known@example.org"}),
        ):
            refused = client.post(path, form)
            assert (refused.status_code, refused["Retry-After"]) == (503, "30"), path
            assert refused["X-Error-Code"] == "counters_unavailable"
            assert "Redis or Valkey" in refused.text
    assert "do not answer" in caplog.text


@pytest.mark.requirement("AC-10")
def test_without_counters_each_name_has_three_attempts_and_operators_reach_the_health_page(
    client: Client, settings: Settings
) -> None:
    name = f"known{factories.word()}"
    factories.staff(name, Role.ADMINISTRATOR)
    wrong = {"login": name, "password": "wrong password 1"}
    with away(settings):
        right = wrong | {"password": factories.PASSWORD}
        assert client.post("/accounts/login/", right).status_code == 302
        page = client.get("/admin/health/")
        assert page.status_code == 200
        assert "CACHE_URL does not answer" in page.text
        other = Client()
        answers = [other.post("/accounts/login/", wrong) for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 503]
        assert answers[-1]["X-Error-Code"] == "counters_unavailable"
        assert 0 < int(answers[-1]["Retry-After"]) <= 100
        # The right password is refused too, so a refusal reveals nothing.
        assert other.post("/accounts/login/", right).status_code == 503


@pytest.mark.requirement("AC-10")
def test_without_counters_three_codes_are_tried_and_no_code_works_twice(
    client: Client, settings: Settings
) -> None:
    person = factories.person(f"known{factories.word()}")
    secret = "JBSWY3DPEHPK3PXP"
    Authenticator.objects.create(user=person, type="totp", data={"secret": secret})
    right = {"login": person.username, "password": factories.PASSWORD}
    with away(settings), current_code(secret) as code:
        page = client.post("/accounts/login/", right)["Location"]
        assert client.post(page, {"code": code}).status_code == 302
        other = Client()
        page = other.post("/accounts/login/", right)["Location"]
        answers = [other.post(page, {"code": each}) for each in (code, "000000", "000001")]
    assert [each.status_code for each in answers] == [200, 200, 503]
