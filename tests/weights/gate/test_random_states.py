"""In any state of the database the gate's statement, its rules and the lists agree.

`facts_by_orm` reads the same facts as the statement and the look-ups do, plainly and one after the
other; the rules must judge both alike.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.api_tokens.models import ApiToken
from accounts.api_tokens.token_format import digest
from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.sanitize import is_storable
from tests.support import factories
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery.models import CheckpointLink
from weights.gate import Decision, Missing, Refusal, lookups, rules
from weights.gate.caller import ANONYMOUS, Caller, TokenClaim, look_up, session_caller
from weights.gate.facts import Facts, History
from weights.gate.revision_names import find_revision, withdrawn
from weights.publishing.models import File, Ref, Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

REPO = "acme/model"
PATH = "config.json"
WORLDS = 600
AWAY = timedelta(days=3)


def mostly(dice: random.Random, good: Any, *others: Any) -> Any:
    return good if dice.random() < 0.9 else dice.choice(others)


class World:
    """One set of rows, put into a new random state each time; most states are the good one."""

    def __init__(self, person: User, tier: Tier) -> None:
        self.person, self.tier = person, tier
        self.revision = factories.published(REPO, tier)
        self.checkpoint = self.revision.checkpoint
        self.file = File.objects.get(revision=self.revision, path=PATH)
        self.first = factories.in_force(tier)
        self.second = tier.licence.versions.create(version="2", text="Newer terms.\n")
        self.other = factories.tier("under-another").licence
        self.others = self.other.versions.get()
        self.third = tier.licence.versions.create(version="3", text="The newest terms.\n")
        self.grant = factories.grant(person, tier)
        self.plain = factories.token(person, "read-gated")
        self.link = CheckpointLink.objects.create(
            holder=person,
            grant=self.grant,
            checkpoint=self.checkpoint,
            revision=self.revision,
            cause=CheckpointLink.Cause.COMMAND,
            state=CheckpointLink.State.ISSUED,
        )
        self.other_revision = factories.published(REPO, tier, {PATH: b"{}"})
        Ref.objects.create(
            checkpoint=self.checkpoint, name="v1", kind=Ref.Kind.TAG, revision=self.revision
        )

    def shuffle(self, dice: random.Random) -> None:
        now = timezone.now()
        often = partial(mostly, dice)
        self._shuffle_who_asks(often, now)
        self._shuffle_what_they_hold(dice, often, now)
        self._shuffle_what_is_asked_for(often, now)
        self._shuffle_applications(dice, now)

    def _shuffle_who_asks(self, often: Callable[..., Any], now: datetime) -> None:
        past, ahead = now - AWAY, now + AWAY
        User.objects.filter(pk=self.person.pk).update(
            is_active=often(True, False),
            suspended_at=often(None, past),
            is_staff=often(False, True),
        )
        EmailAddress.objects.filter(user=self.person).update(verified=often(True, False))
        ApiToken.objects.update(
            revoked_at=often(None, past),
            expires_at=often(ahead, past),
            scopes=often(["read", "read-gated"], ["read"]),
            repositories=often([], [REPO], ["acme/other"]),
        )

    def _shuffle_what_they_hold(
        self, dice: random.Random, often: Callable[..., Any], now: datetime
    ) -> None:
        past, ahead = now - AWAY, now + AWAY
        starts = now - timedelta(days=dice.choice([5, 30]))
        Grant.objects.filter(pk=self.grant.pk).update(
            state=often("active", "suspended", "expired", "revoked", "surrendered"),
            starts_at=starts,
            expires_at=often(ahead, past),
            # Only the sweep ends a suspension; the gate looks at the state alone.
            suspended_until=dice.choice([None, past, ahead]),
            licence_version=often(dice.choice([self.first, self.second, self.third]), self.others),
        )
        for text in (self.second, self.third, self.others):
            since = dice.choice([now - timedelta(days=dice.choice([2, 60])), ahead])
            text.effective_at, text.notice_days = since, dice.choice([0, 30, 90])
            text.save()

    def _shuffle_what_is_asked_for(self, often: Callable[..., Any], now: datetime) -> None:
        past, ahead = now - AWAY, now + AWAY
        Tier.objects.filter(pk=self.tier.pk).update(
            mode=often("reviewed", "open", "click-through"),
            licence=often(self.first.licence, self.other),
            licence_since=often(None, past, now - 12 * AWAY),
        )
        published_at = often(past, None)
        Checkpoint.objects.filter(pk=self.checkpoint.pk).update(
            private=often(False, True),
            embargo_until=often(None, past, ahead),
            published_at=published_at,
        )
        usual = "visible" if published_at else "pending"
        Revision.objects.filter(pk=self.revision.pk).update(
            state=often(usual, "visible", "pending", "failed", "withdrawn")
        )
        Ref.objects.filter(checkpoint=self.checkpoint, name="main").update(
            revision=often(self.revision, self.other_revision)
        )
        Blob.objects.filter(pk=self.file.blob_id).update(
            state=often("verified", "uploaded", "hashing", "quarantined")
        )

    def _shuffle_applications(self, dice: random.Random, now: datetime) -> None:
        past = now - AWAY
        Application.objects.all().delete()
        if dice.random() < 0.3:
            Application.objects.create(
                applicant=self.person,
                tier=self.tier,
                form=FormVersion.objects.current(self.tier),
                status=dice.choice(["submitted", "in_review", "returned", "rejected", "withdrawn"]),
                submitted_at=dice.choice([past, now - timedelta(days=40)]),
            )

    def caller(self, dice: random.Random) -> Caller | TokenClaim:
        person = User.objects.get(pk=self.person.pk)
        kinds: list[Callable[[], Caller | TokenClaim]] = [
            lambda: TokenClaim(digest(self.plain)),
            lambda: TokenClaim(digest(self.plain)),
            lambda: TokenClaim("0" * 64),
            lambda: ANONYMOUS,
            lambda: session_caller(person),
            lambda: Caller(person, kind="link", link=self.link, grant_id=self.grant.pk),
            lambda: Caller(person, kind="file-link", grant_id=self.grant.pk),
            lambda: Caller(person, kind="file-link", grant_id=self.grant.pk + 1),
            lambda: Caller(kind="link", problem=Refusal.LINK_EXPIRED),
        ]
        return dice.choice(kinds)()

    def names(self, dice: random.Random) -> tuple[str, str, str]:
        sha = self.revision.sha
        wanted = ["main", sha, "v1", "refs/heads/main", "refs/tags/v1"]
        unknown = ["refs/tags/main", "refs/heads/v1", "none", "0" * 40, "a\0b", sha.upper()]
        return (
            REPO if dice.random() < 0.9 else dice.choice(["acme/none", "ACME/model", "a\0/b", ""]),
            dice.choice(wanted) if dice.random() < 0.8 else dice.choice(unknown),
            PATH if dice.random() < 0.9 else dice.choice(["none", "Config.json", "a\0b", ""]),
        )


def facts_by_orm(caller: Caller, repo_id: str, revision: str, path: str, now: datetime) -> Facts:
    """The facts of a caller who was looked up already, one query after the other."""
    facts: dict[str, Any] = _person_facts(caller)
    facts["token_covers"] = caller.token is None or caller.token.may_read_gated(repo_id)
    facts["link_grant_id"] = caller.grant_id
    facts["link_revision_id"] = caller.link.revision_id if caller.link else None
    checkpoint = Checkpoint.objects.all().by_repo_id(repo_id)
    if checkpoint is None:
        return Facts(**facts)
    known = Checkpoint.objects.visible_to(caller.user).filter(pk=checkpoint.pk)
    facts |= {
        "checkpoint_id": checkpoint.pk,
        "private": checkpoint.private,
        "embargo_until": checkpoint.embargo_until,
        "published": checkpoint.published_at is not None,
        "gated": checkpoint.tier.is_gated,
        "staff_may_know": known.exists(),
        "first_verification": checkpoint.awaits_first_verification,
    }
    if caller.user is not None:
        facts |= _right_facts(caller, checkpoint.tier, now)
    found = find_revision(checkpoint, revision)
    gone = None if found else withdrawn(checkpoint, revision)
    if gone is not None:
        found = gone.revision
    if found is None:
        return Facts(**facts)
    file = found.files.filter(path=path).first() if is_storable(path) else None
    return Facts(
        **facts,
        revision_id=found.pk,
        withdrawn=gone is not None,
        file_id=file.pk if file else None,
        blob_state=file.blob.state if file else "",
    )


def _person_facts(caller: Caller) -> dict[str, Any]:
    if caller.user is None:
        return {}
    person = User.objects.get(pk=caller.user.pk)
    return {
        "user_id": person.pk,
        "user_active": person.is_active,
        "user_suspended": person.suspended_at is not None,
        "address_confirmed": person.has_confirmed_address,
        "is_staff": person.is_staff,
    }


def _right_facts(caller: Caller, tier: Tier, now: datetime) -> dict[str, Any]:
    """The person's grant and licence, and what words a refusal without them."""
    grants = Grant.objects.filter(user=caller.user, tier=tier)
    if caller.grant_id is not None:
        grants = grants.filter(pk=caller.grant_id)
    newest = grants.order_by("-starts_at").first()
    sent = Application.objects.filter(applicant=caller.user, tier=tier).exclude(status="draft")
    application = sent.order_by("-submitted_at").first()
    facts: dict[str, Any] = {
        "history": History(
            newest.state if newest else "",
            newest.starts_at if newest else None,
            application.status if application else "",
            application.submitted_at if application else None,
        )
    }
    if (live := grants.live(now).first()) is not None:
        ends = live.acceptance_ends(tier, tier.licence.in_force_by(now))
        facts |= {
            "grant_id": live.pk,
            "grant_expires": live.expires_at,
            "licence_replaced": ends is not None,
            "acceptance_ends": ends,
        }
    return facts


def _answer(decision: Decision) -> rules.Outcome:
    return decision.code or decision.missing


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_gate_answers_as_the_rules_do_on_plainly_read_facts(
    seed: int, applicant: User, gated_tier: Tier
) -> None:
    dice = random.Random(seed)
    world = World(applicant, gated_tier)
    answered = allowed = being_verified = 0
    for _ in range(WORLDS // 4):
        world.shuffle(dice)
        caller, names, now = world.caller(dice), world.names(dice), timezone.now()
        # Counts the calls; the original runs.
        with mock.patch.object(lookups, "supply", wraps=lookups.supply) as supply:
            decision = gate.decide(caller, *names, now)
        answered += not supply.called
        known = look_up(caller, now) if isinstance(caller, TokenClaim) else caller
        assert (decision.caller.kind, decision.caller.problem) == (known.kind, known.problem)
        assert (decision.caller.user and decision.caller.user.pk) == (known.user and known.user.pk)
        if known.problem is not None:
            assert _answer(decision) is known.problem
            continue
        facts = facts_by_orm(known, *names, now)
        _assert_answer(decision, rules.may_fetch_file(facts, now), facts)
        repo_id, revision, _ = names
        _assert_answer(
            gate.may_fetch_revision(caller, repo_id, revision, now),
            rules.may_fetch_revision(facts, now),
            facts,
        )
        _assert_answer(
            gate.may_read_revision(caller, repo_id, revision, now),
            rules.may_read_revision(facts, now),
            facts,
        )
        _assert_answer(
            gate.may_fetch_checkpoint(caller, repo_id, now),
            rules.may_fetch_checkpoint(facts, now),
            facts,
        )
        _assert_answer(
            gate.may_read_checkpoint(caller, repo_id, now),
            rules.may_read_checkpoint(facts, now),
            facts,
        )
        if decision.allowed:
            allowed += 1
            assert decision.file is not None
            file = File.objects.select_related("blob").get(pk=facts.file_id)
            assert decision.file == file
            assert (decision.file.etag, decision.file.size) == (file.etag, file.size)
            assert (decision.grant and decision.grant.pk) == (
                (facts.gated and facts.grant_id) or None
            )
        if decision.code is Refusal.FILE_UNVERIFIED and decision.revision is None:
            being_verified += 1
    assert answered > WORLDS / 4 * 0.5
    assert allowed >= 8
    assert being_verified >= 2


def _assert_answer(decision: Decision, outcome: rules.Outcome, facts: Facts) -> None:
    """The rules' answer, in words, about no record that the caller may not know of."""
    assert _answer(decision) == outcome, facts
    assert bool(decision.message) is not decision.allowed
    assert decision.allowed or decision.file is None
    hidden = outcome is Missing.REPOSITORY
    assert (decision.checkpoint and decision.checkpoint.pk) == (
        None if hidden else facts.checkpoint_id
    )
    assert decision.revision is None or decision.revision.pk == facts.revision_id


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(dice=st.randoms(use_true_random=False))
def test_lists_hold_what_the_rules_let_the_person_read_and_fetch(
    dice: random.Random, a_world: World
) -> None:
    a_world.shuffle(dice)
    now, person = timezone.now(), User.objects.get(pk=a_world.person.pk)
    for user in (person, None):
        caller = session_caller(user)
        known = Checkpoint.objects.visible_to(caller.user)
        read = gate.may_read_checkpoint(caller, REPO, now)
        assert known.exists() is (read.missing is not Missing.REPOSITORY)
        assert known.published().exists() is read.allowed
        fetched = Checkpoint.objects.downloadable_by(caller.user)
        assert fetched.exists() is gate.may_fetch_checkpoint(caller, REPO, now).allowed


@pytest.fixture
def a_world(applicant: User, gated_tier: Tier) -> World:
    return World(applicant, gated_tier)


def test_a_hidden_checkpoint_takes_as_many_statements_as_an_unknown_one(
    applicant: User, gated_tier: Tier, django_assert_num_queries: Callable[..., Any]
) -> None:
    world = World(applicant, gated_tier)
    claim, now = TokenClaim(digest(world.plain)), timezone.now()
    gate.decide(claim, REPO, "main", PATH, now)  # the first use of a minute is noted
    hidden: list[dict[str, Any]] = [{"private": True}, {"embargo_until": now + AWAY}]
    for facts in hidden:
        Checkpoint.objects.update(**{"private": False, "embargo_until": None} | facts)
        for caller in (ANONYMOUS, claim, session_caller(applicant)):
            for name in (REPO, "acme/unknown"):
                with django_assert_num_queries(1):
                    refused = gate.decide(caller, name, "main", PATH, now)
                with django_assert_num_queries(1):
                    unknown = gate.may_read_revision(caller, name, "main", now)
                assert refused.missing is unknown.missing is Missing.REPOSITORY


def test_a_plain_answer_takes_one_statement(
    applicant: User, gated_tier: Tier, django_assert_num_queries: Callable[..., Any]
) -> None:
    world = World(applicant, gated_tier)
    claim, now = TokenClaim(digest(world.plain)), timezone.now()
    gate.decide(claim, REPO, "v1", PATH, now)  # the first use of a minute is noted
    with django_assert_num_queries(1):
        assert gate.decide(claim, REPO, "v1", PATH, now).allowed
    with django_assert_num_queries(1):
        assert gate.decide(ANONYMOUS, REPO, "v1", PATH, now).code is Refusal.LOGIN_REQUIRED
    with django_assert_num_queries(1):
        assert gate.decide(claim, REPO, world.revision.sha, "none", now).missing is not None
