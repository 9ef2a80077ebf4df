"""The gate's one statement gives the answers of its rules, in any state of the database."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.api_tokens.token_format import digest
from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery.models import CheckpointLink
from weights.gate import Decision, Missing, rules, statement
from weights.gate.caller import ANONYMOUS, Caller, Refusal, TokenClaim, look_up, session_caller
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


def _told(decision: Decision) -> tuple[object, ...]:
    """What of a decision a door could act on."""
    return (
        decision.code,
        decision.missing,
        decision.message,
        decision.status,
        decision.checkpoint and decision.checkpoint.pk,
        decision.revision and decision.revision.pk,
        decision.file and (decision.file.pk, decision.file.etag, decision.file.size),
        decision.grant and decision.grant.pk,
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_statement_answers_as_the_rules_do_in_any_state(
    seed: int, applicant: User, gated_tier: Tier
) -> None:
    dice = random.Random(seed)
    world = World(applicant, gated_tier)
    answered = allowed = being_verified = 0
    for _ in range(WORLDS // 4):
        world.shuffle(dice)
        caller, names, now = world.caller(dice), world.names(dice), timezone.now()
        quick = statement.decide(caller, *names, now)
        known = look_up(caller, now) if isinstance(caller, TokenClaim) else caller
        slow = rules.decide(known, *names, now)
        whole = gate.decide(caller, *names, now)
        assert _told(whole) == _told(slow), (caller, names)
        assert (whole.caller.kind, whole.caller.problem) == (known.kind, known.problem)
        read = rules.find(known, *names[:2], now)
        told = statement.find(caller, *names[:2], now)
        assert told is None or _told(told) == _told(read), (caller, names)
        assert _told(gate.find(caller, *names[:2], now)) == _told(read), (caller, names)
        if slow.allowed:
            allowed += 1
        if slow.code is Refusal.FILE_UNVERIFIED and slow.revision is None:
            being_verified += 1
        if quick is not None:
            answered += 1
            assert _told(quick) == _told(slow), (caller, names)
            assert (quick.caller.user and quick.caller.user.pk) == (known.user and known.user.pk)
    assert answered > WORLDS / 4 * 0.5
    assert allowed >= 8
    assert being_verified >= 2


def test_what_is_hidden_takes_as_many_statements_as_what_is_unknown(
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
                    unknown = gate.find(caller, name, "main", now)
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
