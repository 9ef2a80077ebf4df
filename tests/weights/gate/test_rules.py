"""The gate's rules as pure functions, with any facts and no database."""

import itertools
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.api_tokens.models import ApiToken
from accounts.applications.transition_table import Status
from accounts.grants.models import Grant
from weights.gate import rules, statement
from weights.gate.caller import ANONYMOUS, Caller
from weights.gate.facts import Facts, History, Lookup
from weights.gate.refusals import Missing, Refusal, sentence, status_of
from weights.gate.statement import Row

pytestmark = pytest.mark.one_database

NOW = datetime(2026, 11, 30, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(days=1), NOW + timedelta(days=1)
GOOD = Facts(
    by_token=True,
    token_expires=AFTER,
    token_revoked=False,
    token_covers=True,
    link_grant_id=None,
    link_revision_id=None,
    user_id=1,
    user_active=True,
    user_suspended=False,
    address_confirmed=True,
    checkpoint_id=2,
    private=False,
    embargo_until=None,
    published=True,
    grant_id=3,
    grant_expires=AFTER,
    licence_replaced=False,
    revision_id=4,
    withdrawn=False,
    file_id=5,
    blob_state="verified",
)
#: Facts that break one rule of GOOD, in the order of the rules, and the answer to each.
BROKEN: list[tuple[dict[str, Any], rules.Outcome]] = [
    ({"token_expires": None}, Refusal.TOKEN_INVALID),
    ({"token_revoked": True}, Refusal.TOKEN_INVALID),
    ({"user_active": False}, Refusal.TOKEN_INVALID),
    ({"token_expires": NOW}, Refusal.TOKEN_EXPIRED),
    ({"checkpoint_id": None}, Missing.REPOSITORY),
    ({"private": True}, Missing.REPOSITORY),
    ({"embargo_until": AFTER}, Missing.REPOSITORY),
    ({"private": True, "is_staff": True, "staff_may_know": False}, Missing.REPOSITORY),
    ({"private": True, "is_staff": True}, Lookup.VISIBILITY),
    ({"published": False}, Lookup.FIRST_VERIFICATION),
    ({"published": False, "first_verification": True}, Refusal.FILE_UNVERIFIED),
    ({"published": False, "first_verification": False}, Refusal.NOT_PUBLISHED),
    ({"embargo_until": AFTER, "is_staff": True, "staff_may_know": True}, Refusal.EMBARGOED),
    ({"user_id": None}, Refusal.LOGIN_REQUIRED),
    ({"user_suspended": True}, Refusal.SUSPENDED),
    ({"address_confirmed": False}, Refusal.SUSPENDED),
    ({"token_covers": False}, Refusal.TOKEN_SCOPE),
    ({"grant_id": None}, Lookup.HISTORY),
    ({"grant_expires": NOW, "history": History("active", BEFORE)}, Refusal.GRANT_EXPIRED),
    ({"link_grant_id": 9, "history": History("revoked", BEFORE)}, Refusal.REVOKED),
    ({"licence_replaced": True}, Lookup.ACCEPTANCE),
    ({"licence_replaced": True, "acceptance_ends": NOW}, Refusal.LICENCE_OUTDATED),
    ({"link_revision_id": 9}, Missing.REVISION),
    ({"revision_id": None}, Missing.REVISION),
    ({"withdrawn": True}, Refusal.WITHDRAWN),
    ({"file_id": None}, Missing.ENTRY),
    ({"blob_state": "hashing"}, Refusal.FILE_UNVERIFIED),
    ({"blob_state": "quarantined"}, Refusal.FILE_QUARANTINED),
]

moments = st.sampled_from([None, BEFORE, NOW, AFTER])
ids = st.sampled_from([None, 1, 2])
any_facts = st.builds(
    Facts,
    by_token=st.booleans(),
    token_expires=moments,
    token_revoked=st.booleans(),
    token_covers=st.booleans(),
    link_grant_id=ids,
    link_revision_id=ids,
    user_id=ids,
    user_active=st.booleans(),
    user_suspended=st.booleans(),
    address_confirmed=st.booleans(),
    is_staff=st.booleans(),
    checkpoint_id=ids,
    private=st.booleans(),
    embargo_until=moments,
    published=st.booleans(),
    gated=st.booleans(),
    grant_id=ids,
    grant_expires=moments,
    licence_replaced=st.booleans(),
    revision_id=ids,
    withdrawn=st.booleans(),
    file_id=ids,
    blob_state=st.sampled_from(["", "uploaded", "hashing", "verified", "quarantined"]),
    may_own=st.booleans(),
    names_draft=st.sampled_from([None, True, False]),
    staff_may_know=st.sampled_from([None, True, False]),
    first_verification=st.sampled_from([None, True, False]),
    acceptance_ends=moments,
)


def test_good_facts_open_the_file_and_the_defaults_open_nothing() -> None:
    assert rules.may_fetch_file(GOOD, NOW) is None
    assert rules.may_fetch_file(Facts(), NOW) is Refusal.TOKEN_INVALID
    assert rules.may_fetch_file(Facts(by_token=False), NOW) is Missing.REPOSITORY
    assert rules.access(Facts(), NOW) is Refusal.LOGIN_REQUIRED


#: Facts that open nothing more than GOOD does.
_WITHOUT_EFFECT = {"gated", "is_staff", "may_own", *Lookup}


@pytest.mark.parametrize("name", sorted({f.name for f in fields(Facts)} - _WITHOUT_EFFECT))
def test_a_missing_fact_refuses(name: str) -> None:
    opened = GOOD if name != "by_token" else replace(GOOD, by_token=False, token_expires=None)
    assert rules.may_fetch_file(opened, NOW) is None
    left_out = {one.name: getattr(opened, one.name) for one in fields(Facts) if one.name != name}
    assert rules.may_fetch_file(Facts(**left_out), NOW) is not None


@pytest.mark.parametrize("caller", [ANONYMOUS, Caller(kind="token", token=ApiToken())])
def test_the_statements_row_supplies_every_fact_but_the_look_ups(caller: Caller) -> None:
    row = Row._make([None] * len(Row._fields))
    supplied = statement.facts_of(row, caller, "acme/model", by_token=True)
    assert vars(supplied).keys() == {one.name for one in fields(Facts)} - set(Lookup)


@pytest.mark.parametrize(("facts", "answer"), BROKEN)
def test_each_broken_fact_gets_its_own_answer(facts: dict[str, Any], answer: object) -> None:
    assert rules.may_fetch_file(replace(GOOD, **facts), NOW) == answer


def test_the_earlier_rule_answers_when_two_facts_are_broken() -> None:
    decided = [
        (facts, answer)
        for facts, answer in BROKEN
        if "is_staff" not in facts and not isinstance(answer, Lookup)
    ]
    for (first, answer), (second, _) in itertools.combinations(decided, 2):
        if first.keys().isdisjoint(second):
            both = replace(GOOD, **(first | second))
            assert rules.may_fetch_file(both, NOW) == answer, (first, second)


@given(any_facts)
def test_bytes_leave_only_where_every_wider_question_allows_too(facts: Facts) -> None:
    if rules.may_fetch_file(facts, NOW) is None:
        assert rules.may_fetch_revision(facts, NOW) is None
        assert rules.may_fetch_checkpoint(facts, NOW) is None
        assert rules.may_read_revision(facts, NOW) is None
        assert rules.may_read_checkpoint(facts, NOW) is None
        assert facts.blob_state == "verified"
        assert facts.published
        assert not facts.withdrawn
        assert not facts.private or facts.staff_may_know or facts.names_draft
        assert not facts.may_own or facts.names_draft is not None
        assert facts.embargo_until is None or facts.embargo_until <= NOW
        assert facts.link_revision_id in {None, facts.revision_id}
        assert not facts.by_token or (facts.token_expires == AFTER and not facts.token_revoked)
        if facts.gated:
            assert facts.user_active
            assert facts.address_confirmed
            assert not facts.user_suspended
            assert facts.token_covers
            assert facts.grant_id
            assert facts.grant_expires == AFTER
            assert facts.link_grant_id in {None, facts.grant_id}
            assert not facts.licence_replaced or facts.acceptance_ends == AFTER


@given(any_facts)
def test_a_rule_asks_for_no_fact_that_was_looked_up(facts: Facts) -> None:
    supplied = replace(
        facts,
        staff_may_know=bool(facts.staff_may_know),
        first_verification=bool(facts.first_verification),
        history=History(),
        acceptance_ends=facts.acceptance_ends or NOW,
    )
    assert not isinstance(rules.may_fetch_file(supplied, NOW), Lookup)


@pytest.mark.parametrize("state", Grant.State)
def test_every_state_of_a_grant_has_a_refusal(state: Grant.State) -> None:
    assert rules.without_grant(History(state, NOW)) in Refusal


@pytest.mark.parametrize("status", Status)
def test_every_status_of_an_application_has_a_refusal(status: Status) -> None:
    older_grant = History("revoked", BEFORE, status, NOW)
    assert rules.without_grant(older_grant) in Refusal
    assert rules.without_grant(replace(older_grant, grant_starts=AFTER)) is Refusal.REVOKED


@pytest.mark.parametrize("refusal", [*Refusal, *Missing])
def test_every_refusal_has_a_status_and_a_sentence(refusal: Refusal | Missing) -> None:
    assert status_of(refusal) in {401, 403, 404, 410, 429}
    if refusal is not Refusal.QUOTA:  # worded where the limit is
        names: dict[str, Any] = dict.fromkeys(
            ("repo", "tier", "revision", "sha", "path", "when", "reason"), "x"
        )
        assert "{" not in sentence(refusal, **names)
