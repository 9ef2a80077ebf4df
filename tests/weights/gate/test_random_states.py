"""In any state of the database, the gate and the lists agree with the oracle."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.api_tokens.models import ApiToken
from accounts.api_tokens.token_format import digest
from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.gate.oracle import Answer, Oracle, answer_of
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery.models import CheckpointLink
from weights.gate import Decision, Missing, Refusal, lookups
from weights.gate.caller import ANONYMOUS, Caller, TokenClaim, look_up, session_caller
from weights.publishing.models import File, Ref, Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

REPO = "acme/model"
PATH = "config.json"
PATHS = ["none", "Config.json", "a\0b", "", "w.bin", "model.safetensors"]
WORLDS = 800
AWAY = timedelta(days=3)
SCOPES = [
    *[["read", "read-gated"]] * 9,
    *[["read", "read-gated", "write"]] * 3,
    *(["read"], ["read", "write"]),
]
#: The states of an application; a person has one open application of a tier at most.
OPEN = ["draft", "submitted", "in_review", "returned"]
ENDED = ["rejected", "withdrawn", "approved"]


@pytest.fixture(autouse=True)
def _second_factor_required(settings: Any) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"


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
        self.second = tier.accepted_licence.versions.create(version="2", text="Newer terms.\n")
        self.other = factories.tier("under-another").accepted_licence
        self.others = self.other.versions.get()
        self.third = tier.accepted_licence.versions.create(version="3", text="The newest terms.\n")
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
        self.ended = Grant.objects.create(
            user=person,
            tier=tier,
            state=Grant.State.REVOKED,
            starts_at=self.grant.starts_at,
            expires_at=self.grant.expires_at,
            licence_version=self.first,
        )
        self.elsewhere = factories.tier("elsewhere")
        self.other_revision = factories.published(REPO, tier, {PATH: b"{}"})
        Ref.objects.create(
            checkpoint=self.checkpoint, name="v1", kind=Ref.Kind.TAG, revision=self.revision
        )
        self.draft = factories.published(REPO, tier, {PATH: b"[]", "w.bin": b"\0draft"})
        weights = self.revision.files.get(path="model.safetensors")
        self.draft.files.create(
            path=weights.path, blob=weights.blob, lfs=True, git_oid=weights.git_oid
        )
        Ref.objects.filter(checkpoint=self.checkpoint, name="main").update(revision=self.revision)
        Ref.objects.create(
            checkpoint=self.checkpoint, name="next", kind=Ref.Kind.BRANCH, revision=self.draft
        )
        Ref.objects.create(
            checkpoint=self.checkpoint, name="v2", kind=Ref.Kind.TAG, revision=self.draft
        )

    def shuffle(self, dice: random.Random) -> None:
        now = timezone.now()
        often = partial(mostly, dice)
        self._shuffle_who_asks(dice, often, now)
        self._shuffle_what_they_hold(dice, often, now)
        self._shuffle_what_is_asked_for(dice, often, now)
        self._shuffle_applications(dice, now)
        if dice.random() < 0.2:
            self._make_owner(dice)

    def _shuffle_who_asks(
        self, dice: random.Random, often: Callable[..., Any], now: datetime
    ) -> None:
        past, ahead = now - AWAY, now + AWAY
        User.objects.filter(pk=self.person.pk).update(
            is_active=often(True, False),
            suspended_at=often(None, past),
            is_staff=dice.random() < 0.7,
        )
        EmailAddress.objects.filter(user=self.person).update(verified=often(True, False))
        self._shuffle_roles(dice)
        ApiToken.objects.update(
            revoked_at=often(None, past),
            expires_at=often(ahead, past),
            scopes=dice.choice(SCOPES),
            recently_authenticated=often(True, False),
            repositories=often([], [REPO], ["acme/other"]),
        )

    def _shuffle_roles(self, dice: random.Random) -> None:
        Authenticator.objects.all().delete()
        RoleAssignment.objects.all().delete()
        if dice.random() < 0.8:
            Authenticator.objects.create(user=self.person, type="totp", data={"secret": "x"})
        if dice.random() < 0.9:
            RoleAssignment.objects.create(
                user=self.person,
                role=mostly(dice, Role.AUDITOR, *Role),
                tier=dice.choice([None, self.tier, self.elsewhere]),
            )

    def _make_owner(self, dice: random.Random) -> None:
        """The person as a release owner in good standing, mostly with a write token."""
        User.objects.update(is_active=True, is_staff=True, suspended_at=None)
        Authenticator.objects.get_or_create(
            user=self.person, defaults={"type": "totp", "data": {"secret": "x"}}
        )
        RoleAssignment.objects.update_or_create(
            user=self.person, defaults={"role": Role.RELEASE_OWNER, "tier": None}
        )
        scopes = mostly(dice, ["read", "write"], ["read", "read-gated"])
        ApiToken.objects.update(scopes=scopes, repositories=[])

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
        Grant.objects.filter(pk=self.ended.pk).update(
            state=dice.choice(["expired", "revoked", "surrendered"]),
            starts_at=now - timedelta(days=dice.choice([4, 50])),
        )
        for text in (self.second, self.third, self.others):
            since = dice.choice([now - timedelta(days=dice.choice([2, 60])), ahead])
            text.effective_at, text.notice_days = since, dice.choice([0, 30, 90])
            text.save()

    def _shuffle_what_is_asked_for(
        self, dice: random.Random, often: Callable[..., Any], now: datetime
    ) -> None:
        past, ahead = now - AWAY, now + AWAY
        Tier.objects.filter(pk=self.tier.pk).update(
            mode=often("reviewed", "open", "click-through"),
            licence=often(self.first.licence, self.other),
            licence_since=often(None, past, now - 12 * AWAY),
        )
        published_at = often(past, None)
        Checkpoint.objects.filter(pk=self.checkpoint.pk).update(
            private=dice.random() < 0.2,
            embargo_until=often(None, past, ahead, ahead),
            published_at=published_at,
        )
        usual = "visible" if published_at else "pending"
        Revision.objects.filter(pk=self.revision.pk).update(
            state=often(usual, "visible", "pending", "failed", "withdrawn", "withdrawn"),
            visible_at=often(past, None),
            withdrawn_at=often(None, past),
            state_reason=often("", "A shard was wrong."),
        )
        Revision.objects.filter(pk=self.draft.pk).update(
            state=often("draft", "pending", "failed", "withdrawn", "visible"),
            branch=dice.choice(["main", "next"]),
            visible_at=None,
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
        both = [(past, [*ENDED, *OPEN]), (now - timedelta(days=40), ENDED)]
        for submitted_at, statuses in both:
            if dice.random() < 0.3:
                Application.objects.create(
                    applicant=self.person,
                    tier=self.tier,
                    form=FormVersion.objects.current(self.tier),
                    status=dice.choice(statuses),
                    submitted_at=submitted_at,
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
            lambda: Caller(person, kind="link", link=self.link, grant_id=self.ended.pk),
            lambda: Caller(person, kind="link", grant_id=None),
            lambda: look_up(TokenClaim(digest(self.plain)), timezone.now()),
            lambda: Caller(kind="link", problem=Refusal.LINK_EXPIRED),
        ]
        return dice.choice(kinds)()

    def names(self, dice: random.Random) -> tuple[str, str, str]:
        sha = self.revision.sha
        wanted = ["main", sha, "v1", "refs/heads/main", "refs/tags/v1"]
        wanted += [self.other_revision.sha, self.revision.sha]
        wanted += [self.draft.sha, self.draft.sha, "next", "v2", "refs/tags/v2"]
        unknown = ["refs/tags/main", "refs/heads/v1", "none", "0" * 40, "a\0b", sha.upper()]
        unknown += ["refs/pr/1", "refs/heads/refs/tags/v1", f"refs/heads/{sha}", sha[:12], ""]
        return (
            REPO if dice.random() < 0.9 else dice.choice(["acme/none", "ACME/model", "a\0/b", ""]),
            dice.choice(wanted) if dice.random() < 0.8 else dice.choice(unknown),
            PATH if dice.random() < 0.9 else dice.choice(PATHS),
        )


QUESTIONS: list[tuple[Callable[..., Decision], Callable[[Oracle], Answer], int]] = [
    (gate.decide, Oracle.decide, 3),
    (gate.may_fetch_revision, Oracle.may_fetch_revision, 2),
    (gate.may_read_revision, Oracle.may_read_revision, 2),
    (gate.may_fetch_checkpoint, Oracle.may_fetch_checkpoint, 1),
    (gate.may_read_checkpoint, Oracle.may_read_checkpoint, 1),
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_gate_answers_every_question_as_the_oracle_does(
    seed: int, applicant: User, gated_tier: Tier
) -> None:
    dice = random.Random(seed)
    world = World(applicant, gated_tier)
    answered = allowed = being_verified = staff = drafts = 0
    for _ in range(WORLDS // 4):
        world.shuffle(dice)
        caller, names, now = world.caller(dice), world.names(dice), timezone.now()
        known = look_up(caller, now) if isinstance(caller, TokenClaim) else caller
        oracle = Oracle(known, *names, now)
        for question, expected, count in QUESTIONS:
            # Counts the calls; the original runs.
            with mock.patch.object(lookups, "supply", wraps=lookups.supply) as supply:
                decision = question(caller, *names[:count], now)
            answer = answer_of(decision)
            assert answer == expected(oracle), (question.__name__, caller, names)
            assert (answer.refusal is None) is decision.allowed
            assert (decision.caller.kind, decision.caller.problem) == (known.kind, known.problem)
            assert decision.caller.credential_id == known.credential_id
            assert (decision.caller.user and decision.caller.user.pk) == (
                known.user and known.user.pk
            )
            if question is gate.decide:
                answered += not supply.called
                allowed += decision.allowed
                drafts += decision.allowed and answer.revision == world.draft.pk
                unverified = answer.refusal is Refusal.FILE_UNVERIFIED
                being_verified += unverified and answer.revision is None
            elif question is gate.may_read_checkpoint and decision.checkpoint is not None:
                staff += decision.checkpoint.is_hidden
    assert answered > WORLDS / 4 * 0.5
    assert allowed >= 8
    assert being_verified >= 2
    assert staff >= 1
    assert drafts >= 1


@pytest.mark.slow
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(dice=st.randoms(use_true_random=False))
def test_lists_hold_what_the_oracle_lets_the_person_read_and_fetch(
    dice: random.Random, a_world: World
) -> None:
    a_world.shuffle(dice)
    now, person = timezone.now(), User.objects.get(pk=a_world.person.pk)
    by_token = look_up(TokenClaim(digest(a_world.plain)), now)
    for caller in (session_caller(person), ANONYMOUS, by_token):
        oracle = Oracle(caller, REPO, "main", PATH, now)
        if caller.problem is not None:  # no list is made for it
            continue
        known = Checkpoint.objects.visible_to(caller.user, caller.token)
        read, fetch = oracle.may_read_checkpoint(), oracle.may_fetch_checkpoint()
        assert known.exists() is (read.refusal is not Missing.REPOSITORY)
        is_published = Checkpoint.objects.published().exists()
        assert known.published().exists() is (read.refusal is None and is_published)
        if caller.token is None:
            fetched = Checkpoint.objects.downloadable_by(caller.user)
            assert fetched.exists() is (fetch.refusal is None)


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
