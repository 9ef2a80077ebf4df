"""The gate's truth table: each condition alone, and each pair of them, in order of precedence.

`CONDITIONS` lists the conditions in the order in which the gate checks them
(docs/requirements.md, GT-6), each with the ways in which it can fail and the resulting
refusal. Each test breaks conditions of a world in which all hold; the first broken one decides.
"""

import itertools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.api_tokens.models import ApiToken
from accounts.applications.models.form import FormVersion
from accounts.applications.transition_table import Status
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User
from tests.support import factories
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery.models import CheckpointLink
from weights.gate import Decision, Missing
from weights.gate.caller import ANONYMOUS, Caller, TokenClaim, session_caller, token_claim
from weights.gate.refusals import Refusal
from weights.publishing.models import Revision
from weights.storage.models import Blob
from weights.storage.transition_table import State as BlobState

REPO = "acme/weights"
PATH = "model.safetensors"


@dataclass
class World:
    """One approved person with a token, one published checkpoint, and what they ask for."""

    person: User
    token: str
    revision: Revision
    anonymous: bool = False
    asked_repo: str = REPO
    asked_revision: str = "main"
    asked_path: str = PATH

    @property
    def tier(self) -> Tier:
        return self.revision.checkpoint.tier

    def caller(self) -> Caller | TokenClaim:
        return ANONYMOUS if self.anonymous else token_claim(f"Bearer {self.token}")

    def decide(self, caller: Caller | TokenClaim | None = None) -> Decision:
        caller = caller or self.caller()
        now = timezone.now()
        return gate.decide(caller, self.asked_repo, self.asked_revision, self.asked_path, now)


Break = Callable[[World], None]


@dataclass(frozen=True)
class Failure:
    """One way to break a condition, and the answer to it."""

    condition: str
    name: str
    break_it: Break
    told: str
    status: int


# -- ways to break ----------------------------------------------------------------------


def no_credential(world: World) -> None:
    world.anonymous = True


def garbled_token(world: World) -> None:
    world.token = world.token[:-1] + ("a" if world.token[-1] != "a" else "b")


def unknown_token(world: World) -> None:
    ApiToken.objects.filter(user=world.person).delete()


def revoked_token(world: World) -> None:
    ApiToken.objects.get(user=world.person).revoke(by=world.person)


def expired_token(world: World) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def owner_gone(world: World) -> None:
    User.objects.filter(pk=world.person.pk).update(is_active=False)


def checkpoint_is(**facts: object) -> Break:
    return lambda world: set_checkpoint(world, **facts)


def set_checkpoint(world: World, **facts: object) -> None:
    Checkpoint.objects.filter(pk=world.revision.checkpoint_id).update(**facts)


def awaits_its_first_verification(world: World) -> None:
    set_checkpoint(world, published_at=None)
    world.revision.checkpoint.revisions.create(sha="a" * 40, manifest_sha256="b" * 64)


def unknown_repository(world: World) -> None:
    world.asked_repo = "acme/nothing"


def badly_named_repository(world: World) -> None:
    world.asked_repo = "../\0\ud800é" + "x" * 300


def name_in_another_case(world: World) -> None:
    world.asked_repo = REPO.upper()


def embargoed(world: World) -> None:
    set_checkpoint(world, embargo_until=timezone.now() + timedelta(days=1))


def unconfirmed(world: World) -> None:
    EmailAddress.objects.filter(user=world.person).update(verified=False)


def suspended(world: World) -> None:
    User.objects.filter(pk=world.person.pk).update(suspended_at=timezone.now())


def read_only_token(world: World) -> None:
    ApiToken.objects.update(scopes=["read"])


def publishing_token(world: World) -> None:
    ApiToken.objects.update(scopes=["admin", "read", "write"])


def token_for_another(world: World) -> None:
    ApiToken.objects.update(repositories=["acme/other"])


def no_grant(world: World) -> None:
    Grant.objects.all().delete()


def grant_is(state: Grant.State) -> Break:
    return lambda world: set_grant(state)


def set_grant(state: Grant.State) -> None:
    Grant.objects.update(state=state)


def past_its_end(world: World) -> None:
    now = timezone.now()
    Grant.objects.update(starts_at=now - timedelta(days=2), expires_at=now - timedelta(seconds=1))


def grant_of_another_tier(world: World) -> None:
    other = Tier.objects.create(slug="other", name="Other", licence=world.tier.licence)
    Grant.objects.update(tier=other)


def grant_of_another_person(world: World) -> None:
    Grant.objects.update(user=factories.person())


def application_is(status: Status) -> Break:
    def break_it(world: World) -> None:
        no_grant(world)
        world.person.applications.create(
            tier=world.tier,
            form=FormVersion.objects.current(world.tier),
            status=status,
            submitted_at=timezone.now(),
        )

    return break_it


def outdated_licence(world: World) -> None:
    new_text(world.tier, notice_days=0)


def another_licence(world: World) -> None:
    """Written long before the text that the person accepted, and in place of it by now."""
    other = factories.tier("under-another").accepted_licence
    other.versions.update(effective_at=timezone.now() - timedelta(days=90))
    Tier.objects.filter(pk=world.tier.pk).update(licence=other)


def new_text(tier: Tier, *, notice_days: int) -> LicenceVersion:
    return tier.accepted_licence.versions.create(
        version=factories.word(),
        text=factories.word(),
        effective_at=timezone.now() - timedelta(hours=1),
        notice_days=notice_days,
    )


def unknown_revision(world: World) -> None:
    world.asked_revision = "v9"


def unknown_sha(world: World) -> None:
    world.asked_revision = "0" * 40


def revision_is(state: Revision.State) -> Break:
    return lambda world: set_revision(world, state)


def set_revision(world: World, state: Revision.State) -> None:
    Revision.objects.filter(pk=world.revision.pk).update(state=state)


def withdrawn_unseen(world: World) -> None:
    set_revision(world, Revision.State.WITHDRAWN)
    Revision.objects.filter(pk=world.revision.pk).update(visible_at=None)


def impossible_revision(world: World) -> None:
    world.asked_revision = "main\0\ud800"


def impossible_path(world: World) -> None:
    world.asked_path = f"{PATH}\0\ud800"


def unknown_path(world: World) -> None:
    world.asked_path = "model"


def path_that_climbs(world: World) -> None:
    world.asked_path = f"../{PATH}"


def path_in_another_case(world: World) -> None:
    world.asked_path = PATH.upper()


def blob_is(state: BlobState) -> Break:
    return lambda world: set_blobs(state)


def set_blobs(state: BlobState) -> None:
    Blob.objects.update(state=state)


# -- the table --------------------------------------------------------------------------

#: In the order in which the gate asks.
CONDITIONS = [
    "credential",
    "repository",
    "published",
    "known",
    "standing",
    "scope",
    "grant",
    "licence",
    "revision",
    "path",
    "blob",
]
#: What an open tier does not ask.
GATED_ONLY = {"known", "standing", "scope", "grant", "licence"}

FAILURES = [
    Failure("credential", "garbled token", garbled_token, "token_invalid", 401),
    Failure("credential", "unknown token", unknown_token, "token_invalid", 401),
    Failure("credential", "revoked token", revoked_token, "token_invalid", 401),
    Failure("credential", "expired token", expired_token, "token_expired", 401),
    Failure("credential", "owner gone", owner_gone, "token_invalid", 401),
    Failure("repository", "unknown", unknown_repository, "repository", 404),
    Failure("repository", "impossible name", badly_named_repository, "repository", 404),
    Failure("repository", "another case", name_in_another_case, "repository", 404),
    Failure("repository", "private", checkpoint_is(private=True), "repository", 404),
    Failure("repository", "embargoed", embargoed, "repository", 404),
    Failure("published", "not here", checkpoint_is(published_at=None), "not_published", 404),
    Failure("published", "verifying", awaits_its_first_verification, "file_unverified", 403),
    Failure("known", "anonymous", no_credential, "login_required", 401),
    Failure("standing", "address not confirmed", unconfirmed, "suspended", 403),
    Failure("standing", "account suspended", suspended, "suspended", 403),
    Failure("scope", "read alone", read_only_token, "token_scope", 403),
    Failure("scope", "write and admin", publishing_token, "token_scope", 403),
    Failure("scope", "another repository", token_for_another, "token_scope", 403),
    Failure("grant", "none", no_grant, "no_application", 403),
    Failure("grant", "past its end", past_its_end, "grant_expired", 403),
    Failure("grant", "expired", grant_is(Grant.State.EXPIRED), "grant_expired", 403),
    Failure("grant", "revoked", grant_is(Grant.State.REVOKED), "revoked", 403),
    Failure("grant", "suspended", grant_is(Grant.State.SUSPENDED), "suspended", 403),
    Failure("grant", "given back", grant_is(Grant.State.SURRENDERED), "no_application", 403),
    Failure("grant", "another tier's", grant_of_another_tier, "no_application", 403),
    Failure("grant", "another person's", grant_of_another_person, "no_application", 403),
    Failure("grant", "draft", application_is(Status.DRAFT), "no_application", 403),
    Failure("grant", "submitted", application_is(Status.SUBMITTED), "in_review", 403),
    Failure("grant", "in review", application_is(Status.IN_REVIEW), "in_review", 403),
    Failure("grant", "returned", application_is(Status.RETURNED), "returned", 403),
    Failure("grant", "rejected", application_is(Status.REJECTED), "rejected", 403),
    Failure("grant", "withdrawn", application_is(Status.WITHDRAWN), "no_application", 403),
    Failure("grant", "approved, no grant", application_is(Status.APPROVED), "no_application", 403),
    Failure("licence", "outdated", outdated_licence, "licence_outdated", 403),
    Failure("licence", "another", another_licence, "licence_outdated", 403),
    Failure("revision", "unknown name", unknown_revision, "revision", 404),
    Failure("revision", "impossible name", impossible_revision, "revision", 404),
    Failure("revision", "unknown id", unknown_sha, "revision", 404),
    Failure("revision", "pending", revision_is(Revision.State.PENDING), "revision", 404),
    Failure("revision", "failed", revision_is(Revision.State.FAILED), "revision", 404),
    Failure("revision", "withdrawn", revision_is(Revision.State.WITHDRAWN), "withdrawn", 410),
    Failure("revision", "withdrawn unseen", withdrawn_unseen, "revision", 404),
    Failure("path", "unknown", unknown_path, "entry", 404),
    Failure("path", "impossible name", impossible_path, "entry", 404),
    Failure("path", "climbs out", path_that_climbs, "entry", 404),
    Failure("path", "another case", path_in_another_case, "entry", 404),
    Failure("blob", "uploaded", blob_is(Blob.State.UPLOADED), "file_unverified", 403),
    Failure("blob", "being read", blob_is(Blob.State.HASHING), "file_unverified", 403),
    Failure("blob", "quarantined", blob_is(Blob.State.QUARANTINED), "file_quarantined", 403),
]


def expected(failures: list[Failure], *, gated: bool) -> tuple[str, int]:
    """The refusal of the first broken condition; `("", 200)` if none that applies is broken."""
    asked = [one for one in failures if gated or one.condition not in GATED_ONLY]
    if not asked:
        return "", 200
    first = min(asked, key=lambda one: CONDITIONS.index(one.condition))
    return first.told, first.status


def told(decision: Decision) -> tuple[str, int]:
    return str(decision.code or decision.missing or ""), decision.status


#: Two failures that together are another one: a pending revision of a checkpoint that was never
#: published awaits its first verification.
A_THIRD = {"not here", "pending"}


def can_both_break(one: Failure, other: Failure) -> bool:
    """Not one condition in two ways, a token that is bad and not sent, nor what is a third."""
    conditions = {one.condition, other.condition}
    if len(conditions) == 1 or {one.name, other.name} == A_THIRD:
        return False
    return conditions != {"credential", "known"}


@pytest.fixture(scope="module")
def shared_world(shared_setup: DjangoDbBlocker) -> World:
    with shared_setup.unblock():
        tier = factories.tier("opt-175b")
        person = factories.person("holder")
        factories.grant(person, tier)
        return World(
            person=person,
            token=factories.token(person, "read-gated"),
            revision=factories.published(REPO, tier),
        )


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)


def broken(world: World, *failures: Failure) -> tuple[str, int]:
    """The gate's answer with these conditions broken; the database is restored afterwards."""
    kept = (world.anonymous, world.token, world.asked_repo, world.asked_revision, world.asked_path)
    with transaction.atomic():
        for failure in failures:
            failure.break_it(world)
        answer = told(world.decide())
        transaction.set_rollback(True)
    (
        world.anonymous,
        world.token,
        world.asked_repo,
        world.asked_revision,
        world.asked_path,
    ) = kept
    return answer


def set_mode(world: World, mode: AccessMode) -> None:
    Tier.objects.filter(pk=world.tier.pk).update(mode=mode)


def test_the_table_breaks_every_condition() -> None:
    assert [condition for condition, _ in itertools.groupby(FAILURES, lambda f: f.condition)] == (
        CONDITIONS
    )


def test_when_every_condition_holds_the_file_is_served_under_the_grant(world: World) -> None:
    decision = world.decide()
    assert told(decision) == ("", 200)
    assert decision.file is not None
    assert (decision.file.path, decision.file.revision_id) == (PATH, world.revision.pk)
    assert decision.grant == Grant.objects.get(user=world.person)


@pytest.mark.requirement("GT-2", "GT-6")
@pytest.mark.parametrize("mode", list(AccessMode))
def test_each_broken_condition_alone_gets_its_own_answer(world: World, mode: AccessMode) -> None:
    set_mode(world, mode)
    for failure in FAILURES:
        right = expected([failure], gated=mode.is_gated)
        assert broken(world, failure) == right, failure.name


@pytest.mark.slow
@pytest.mark.requirement("GT-6")
@pytest.mark.parametrize("mode", [AccessMode.OPEN, AccessMode.REVIEWED])
@pytest.mark.parametrize("condition", CONDITIONS[:-1])
def test_the_earlier_of_two_broken_conditions_gives_the_refusal(
    world: World, mode: AccessMode, condition: str
) -> None:
    set_mode(world, mode)
    firsts = [failure for failure in FAILURES if failure.condition == condition]
    later = CONDITIONS[CONDITIONS.index(condition) + 1 :]
    seconds = [failure for failure in FAILURES if failure.condition in later]
    for first, second in itertools.product(firsts, seconds):
        if can_both_break(first, second):
            right = expected([first, second], gated=mode.is_gated)
            assert broken(world, first, second) == right, (first.name, second.name)


@pytest.mark.requirement("GT-4")
def test_a_refusal_never_carries_the_file(world: World) -> None:
    for failure in FAILURES:
        with transaction.atomic():
            failure.break_it(world)
            assert world.decide().file is None, failure.name
            transaction.set_rollback(True)
        world.anonymous, world.asked_repo = False, REPO
        world.asked_revision, world.asked_path = "main", PATH


def test_every_refusal_names_a_next_step(world: World) -> None:
    for failure in FAILURES:
        with transaction.atomic():
            failure.break_it(world)
            assert world.decide().message, failure.name
            transaction.set_rollback(True)
        world.anonymous, world.asked_repo = False, REPO
        world.asked_revision, world.asked_path = "main", PATH


# -- the names of a revision ------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["main", "refs/heads/main", "sha"])
def test_a_revision_is_found_by_branch_full_ref_and_id(world: World, spelling: str) -> None:
    world.asked_revision = world.revision.sha if spelling == "sha" else spelling
    assert world.decide().allowed


@pytest.mark.parametrize("spelling", ["MAIN", "refs/tags/main", "heads/main", "short", ""])
def test_nothing_else_names_it(world: World, spelling: str) -> None:
    world.asked_revision = world.revision.sha[:12] if spelling == "short" else spelling
    assert world.decide().missing is Missing.REVISION


# -- the licence ------------------------------------------------------------------------


def test_a_new_licence_text_opens_still_while_its_notice_runs(world: World) -> None:
    new_text(world.tier, notice_days=30)
    assert world.decide().allowed


def test_a_licence_text_of_the_future_changes_nothing(world: World) -> None:
    version = new_text(world.tier, notice_days=0)
    LicenceVersion.objects.filter(pk=version.pk).update(
        effective_at=timezone.now() + timedelta(days=1)
    )
    assert world.decide().allowed


# -- other credentials ------------------------------------------------------------------


def test_a_session_needs_no_scope(world: World) -> None:
    ApiToken.objects.all().delete()
    assert world.decide(session_caller(world.person)).allowed


@pytest.mark.requirement("GT-5")
def test_a_session_of_a_closed_account_is_anonymous(world: World) -> None:
    owner_gone(world)
    closed = User.objects.get(pk=world.person.pk)
    assert told(world.decide(session_caller(closed))) == ("login_required", 401)


@pytest.mark.requirement("TK-3")
def test_the_repository_list_of_a_token_lets_its_own_through(world: World) -> None:
    ApiToken.objects.update(repositories=[REPO])
    assert world.decide().allowed


def link_caller(world: World, **facts: object) -> Caller:
    """A checkpoint link of the person's own grant to the world's revision."""
    grant = Grant.objects.get(user=world.person)
    made: dict[str, object] = {
        "holder": world.person,
        "grant": grant,
        "checkpoint": world.revision.checkpoint,
        "revision": world.revision,
        "cause": CheckpointLink.Cause.APPROVAL,
        "state": CheckpointLink.State.ISSUED,
    }
    link = CheckpointLink.objects.create(**(made | facts))
    return Caller(user=world.person, kind="link", link=link, grant_id=grant.pk)


def test_a_link_opens_its_revision_without_a_token(world: World) -> None:
    assert world.decide(link_caller(world)).allowed


@pytest.mark.requirement("UR-11")
def test_a_link_reaches_no_other_revision(world: World) -> None:
    caller = link_caller(world)
    other = {"README.md": b"# Another state\n", PATH: b"other"}
    factories.published(REPO, world.tier, other)
    assert told(world.decide(caller)) == ("revision", 404)


def test_a_link_reaches_no_other_checkpoint_of_its_tier(world: World) -> None:
    caller = link_caller(world)
    factories.published("acme/sibling", world.tier)
    world.asked_repo = "acme/sibling"
    assert not world.decide(caller).allowed


@pytest.mark.parametrize(
    ("problem", "status"), [(Refusal.LINK_EXPIRED, 410), (Refusal.LINK_REVOKED, 410)]
)
def test_a_dead_link_opens_nothing_not_even_an_open_tier(
    world: World, problem: Refusal, status: int
) -> None:
    set_mode(world, AccessMode.OPEN)
    assert told(world.decide(Caller(kind="link", problem=problem))) == (problem, status)


@pytest.mark.requirement("UR-13")
def test_a_link_dies_with_its_grant_though_its_holder_got_another(world: World) -> None:
    caller = link_caller(world)
    lifecycle.revoke(Grant.objects.get(user=world.person), by=None, reason="leak")
    factories.grant(world.person, world.tier)
    assert world.decide().allowed
    assert told(world.decide(caller)) == ("revoked", 403)


# -- staff ------------------------------------------------------------------------------


@pytest.mark.requirement("TK-5")
@pytest.mark.parametrize("role", list(Role))
def test_no_role_opens_a_gated_checkpoint(world: World, role: Role) -> None:
    member = factories.staff(f"member-{role}", role)
    assert told(world.decide(session_caller(member))) == ("no_application", 403)


def test_being_superuser_opens_nothing(world: World) -> None:
    User.objects.filter(pk=world.person.pk).update(is_superuser=True, is_staff=True)
    no_grant(world)
    superuser = User.objects.get(pk=world.person.pk)
    assert told(world.decide(session_caller(superuser))) == ("no_application", 403)


def test_an_embargo_is_shown_to_those_who_may_see_the_checkpoint(
    world: World, release_owner: User
) -> None:
    embargoed(world)
    assert told(world.decide(session_caller(release_owner))) == ("embargoed", 403)


def test_a_private_checkpoint_stays_gated_for_those_who_know_of_it(
    world: World, release_owner: User
) -> None:
    set_checkpoint(world, private=True)
    assert told(world.decide(session_caller(release_owner))) == ("no_application", 403)
    factories.grant(release_owner, world.tier)
    assert world.decide(session_caller(release_owner)).allowed


@pytest.mark.requirement("GT-3")
def test_an_unknown_and_a_private_repository_get_the_same_answer(world: World) -> None:
    set_checkpoint(world, private=True)
    private = world.decide(ANONYMOUS)
    unknown = gate.decide(ANONYMOUS, "acme/nothing", "main", PATH, timezone.now())
    assert told(private) == told(unknown)
    assert private.message.replace(REPO, "") == unknown.message.replace("acme/nothing", "")
    assert private.checkpoint is unknown.checkpoint is None


def at(world: World, moment: datetime) -> tuple[str, int]:
    return told(gate.decide(world.caller(), REPO, "main", PATH, moment))


@pytest.mark.requirement("GT-5")
def test_a_grant_opens_until_its_last_moment_and_not_at_it(world: World) -> None:
    ends = Grant.objects.get(user=world.person).expires_at
    assert at(world, ends - timedelta(microseconds=1)) == ("", 200)
    assert at(world, ends) == ("grant_expired", 403)
