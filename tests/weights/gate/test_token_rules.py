"""What a token is, how it is sent, and what it never allows (docs/requirements.md, TK)."""

import base64
import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.api_tokens import token_format
from accounts.api_tokens.models import ApiToken, Scope
from accounts.errors import InvalidValue
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

WHO = "/api/whoami-v2"
OWN = "/api/v1/grants"
FILE = "/acme/gated/resolve/main/README.md"


@pytest.fixture(autouse=True)
def _gated(store: object, gated_tier: Tier) -> None:
    factories.published("acme/gated", gated_tier)
    factories.published("acme/other", gated_tier)


def ask(address: str, authorization: str, **facts: Any) -> int:
    return Client().get(address, headers={"Authorization": authorization}, **facts).status_code


@pytest.mark.requirement("TK-1")
def test_a_token_is_spelt_so_that_scanners_find_it() -> None:
    made = {token_format.new() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"hf_wb[0-9A-Za-z]{46}", one) for one in made)
    assert len({one[5:45] for one in made}) == 200


@pytest.mark.requirement("TK-1")
def test_a_slip_in_typing_costs_no_look_up(applicant: User) -> None:
    token = factories.token(applicant)
    slips = [
        token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :] for at in (3, 20, 48)
    ]
    for slip in [*slips, token[:-1], f"{token}0", token.swapcase(), token.replace("hf_wb", "hf_")]:
        for address in (WHO, OWN, FILE):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                assert ask(address, f"Bearer {slip}") == 401
            assert [one["sql"] for one in asked if "accounts_apitoken" in one["sql"]] == []


@pytest.mark.requirement("TK-1")
def test_both_spellings_are_one_token(applicant: User, gated_tier: Tier) -> None:
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    former = token.replace("hf_wb", "wb_")
    assert re.fullmatch(r"wb_[0-9A-Za-z]{46}", former)
    for address in (WHO, OWN, FILE):
        assert [ask(address, f"Bearer {one}") for one in (token, former)] == [200, 200]
    mixed = [token.replace("hf_wb", "hf_wb_"), token.replace("hf_wb", "hf_"), f"hf_{former}"]
    assert [ask(WHO, f"Bearer {one}") for one in mixed] == [401, 401, 401]


@pytest.mark.requirement("TK-1")
def test_a_token_of_release_0_1_0_stays_valid() -> None:
    former = "wb_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd0KSamp"
    assert token_format.is_well_formed(former)
    assert token_format.digest(former) == hashlib.sha256(former.encode()).hexdigest()
    assert token_format.digest(former.replace("wb_", "hf_wb")) == token_format.digest(former)


@pytest.mark.requirement("GT-8")
def test_a_hugging_face_token_is_named_in_every_api(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    sentence = (
        "This is a Hugging Face token; create one at https://weights.example.org/settings/tokens/"
    )
    for address in (WHO, FILE, OWN, f"/acme/gated/manifest/{chr(97) * 40}.json"):
        answer: Any = Client().get(
            address, headers={"Authorization": "Bearer hf_" + "aB3" * 11 + "x"}
        )
        assert (answer.status_code, answer["X-Refusal-Code"]) == (401, "hugging_face_token")
        assert sentence in answer.content.decode()
    assert Client().get(FILE, headers={"Authorization": "Bearer hf_" + "a" * 33}).status_code == 401


@pytest.mark.requirement("TK-2")
def test_a_stored_token_digest_does_not_reveal_the_token(applicant: User) -> None:
    token = factories.token(applicant)
    kept = ApiToken.objects.values().get()
    assert kept["digest"] == token_format.digest(token)
    assert kept["last_four"] == token[-4:]
    assert not [value for value in kept.values() if token[:-4] in str(value)]
    assert ApiToken._meta.get_field("digest").unique


@pytest.mark.requirement("TK-3")
def test_every_token_reads_and_no_scope_brings_another(applicant: User) -> None:
    for scope in Scope.values:
        token, _ = ApiToken.objects.mint(applicant, name="one", scopes=[scope])
        assert set(token.scopes) == {Scope.READ, scope}
    token, _ = ApiToken.objects.mint(applicant, name="none", scopes=[])
    assert token.scopes == [Scope.READ]


@pytest.mark.requirement("TK-3")
def test_only_read_gated_opens_a_gated_file_and_only_where_it_names_it(
    applicant: User, gated_tier: Tier
) -> None:
    factories.grant(applicant, gated_tier)
    for scopes in (["read"], ["write"], ["admin"], ["read", "write", "admin"]):
        assert ask(FILE, f"Bearer {factories.token(applicant, *scopes)}") == 403
    assert ask(FILE, f"Bearer {factories.token(applicant, 'read-gated')}") == 200
    narrow = factories.token(applicant, "read-gated", repositories=["acme/other"])
    assert ask(FILE, f"Bearer {narrow}") == 403
    assert ask(FILE.replace("gated", "other", 1), f"Bearer {narrow}") == 200


@pytest.mark.requirement("TK-4")
def test_a_token_ends_after_ninety_days_and_after_a_year_at_most(applicant: User) -> None:
    token, plain = ApiToken.objects.mint(applicant, name="usual", scopes=["read"])
    assert timedelta(days=89) < token.expires_at - timezone.now() <= timedelta(days=90)
    assert ApiToken.objects.mint(applicant, name="long", scopes=[], days=365)
    for days in (0, -1, 366):
        with pytest.raises(InvalidValue):
            ApiToken.objects.mint(applicant, name="longer", scopes=[], days=days)
    assert ask(WHO, f"Bearer {plain}") == 200
    with time_machine.travel(token.expires_at):
        assert ask(WHO, f"Bearer {plain}") == 401


@pytest.mark.requirement("TK-5")
def test_a_token_opens_nothing_that_its_owner_may_not(
    applicant: User, other_person: User, gated_tier: Tier
) -> None:
    """Every scope there is, of a person with no right at all."""
    everything = f"Bearer {factories.token(other_person, *Scope.values)}"
    assert ask(FILE, everything) == 403
    assert ask("/api/models/acme/gated/user-access-request/pending", everything) == 403
    assert ask("/api/models/acme/gated/auth-check/write", everything) == 403


@pytest.mark.requirement("TK-6")
def test_a_token_is_taken_from_one_bearer_header_alone(
    applicant: User, gated_tier: Tier, settings: Settings
) -> None:
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "RateLimit" not in one]
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    assert ask(FILE, f"Bearer {token}") == 200
    basic = [f"{token}:", f":{token}", f"hf:{token}", f"{applicant.username}:{token}"]
    forms = [f"Basic {base64.b64encode(pair.encode()).decode()}" for pair in basic]
    forms += [token, f"bearer {token}", f"BEARER {token}", f"Bearer  {token}", f"Bearer {token} "]
    forms += [f"Bearer\t{token}", f"Token {token}", f"Basic {token}", "Bearer"]
    forms += [f"Bearer {token}, Bearer {token}", f"Bearer {token},Bearer x", f'Bearer "{token}"']
    for form in forms:
        for address in (FILE, WHO, OWN):
            assert ask(address, form) == 401, f"{address} {form}"


@pytest.mark.requirement("TK-6")
@pytest.mark.parametrize("address", [FILE, WHO, OWN])
def test_a_token_in_an_address_or_a_cookie_is_nobodys(
    address: str, client: Client, applicant: User, gated_tier: Tier
) -> None:
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    for name in ("token", "access_token", "api_key", "Authorization", "authorization"):
        assert client.get(address, {name: token}).status_code == 401
        client.cookies[name] = f"Bearer {token}"
    client.cookies["token"] = token
    client.cookies["sessionid"] = token
    assert client.get(address).status_code == 401
    sent = {"X-Api-Key": token, "Proxy-Authorization": f"Bearer {token}", "X-Auth-Token": token}
    assert client.get(address, headers=sent).status_code == 401


@pytest.mark.requirement("TK-7")
def test_a_token_opens_no_page_of_a_session_and_not_the_admin(administrator: User) -> None:
    headers = {"Authorization": f"Bearer {factories.token(administrator, *Scope.values)}"}
    for address in (
        "/access/",
        "/settings/tokens/",
        "/accounts/email/",
        "/admin/",
        "/applications/",
    ):
        answer = Client().get(address, headers=headers)
        assert answer.status_code == 302, address
        assert "/login/" in answer["Location"], address
    assert "Sign in" in Client().get("/", headers=headers).text


@pytest.mark.requirement("TK-8")
def test_last_use_is_a_minute_and_a_network_written_once_a_minute(applicant: User) -> None:
    token = factories.token(applicant)
    start = timezone.now().replace(microsecond=0)

    def use(seconds: int) -> tuple[Any, str, int]:
        then = time_machine.travel(start + timedelta(seconds=seconds), tick=False)
        with then, CaptureQueriesContext(connection) as asked:
            assert ask(WHO, f"Bearer {token}", REMOTE_ADDR="203.0.113.77") == 200
        written = [one for one in asked if one["sql"].startswith('UPDATE "accounts_apitoken"')]
        kept = ApiToken.objects.get()
        return kept.last_used_at, kept.last_used_network, len(written)

    assert use(0) == (start, "203.0.113.0/24", 1)
    assert use(59) == (start, "203.0.113.0/24", 0)
    assert use(60) == (start + timedelta(seconds=60), "203.0.113.0/24", 1)


@pytest.mark.requirement("TK-9")
def test_a_revoked_token_is_refused_at_the_next_request(applicant: User) -> None:
    token = factories.token(applicant)
    assert ask(WHO, f"Bearer {token}") == 200
    ApiToken.objects.get().revoke(by=applicant)
    assert ask(WHO, f"Bearer {token}") == 401
    assert ask("/api/v1/checkpoints", f"Bearer {token}") == 401
