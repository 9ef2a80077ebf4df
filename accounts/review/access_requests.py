"""Who asks for a tier, who holds it and who was refused: three lists, and the moves between.

The Hub's clients see access so. Every move is one of the admin's own: claim and approve,
reject, revoke, reopen, or a grant given outside a review, under the same roles.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, TextChoices, Value
from django.db.models.functions import Coalesce, Greatest

from accounts.applications.models import Application, ApplicationSnapshot
from accounts.applications.state_machine import Status
from accounts.applications.workflow import decisions
from accounts.background.locks import lock_user
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, NotFound
from accounts.grants import break_glass
from accounts.grants.models import Grant, GrantQuerySet
from accounts.review.reasons import Reason
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS, GRANT_MANAGERS, Role
from accounts.tiers.models import Tier
from accounts.users import usernames
from accounts.users.models import User

MOST_REASON = 200
GIVEN_REASON = "given through the API"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Standing(TextChoices):
    """The list that a request is in."""

    PENDING = "pending", "Waits for a decision"
    ACCEPTED = "accepted", "Has access"
    REJECTED = "rejected", "Refused, or access taken away"


@dataclass(frozen=True)
class AccessRequest:
    """One line of a list. `place` orders its list; `answers` are those last submitted."""

    request_id: str
    standing: Standing
    user: User
    at: datetime
    place: int
    answers: dict[str, Any] = field(default_factory=dict)


# -- the lists --------------------------------------------------------------------------


def listed(
    tier: Tier, standing: Standing, *, by: User, after: int = 0, most: int = 1000
) -> list[AccessRequest]:
    """Up to `most` requests whose place follows `after`; NotAllowed unless `by` decides here."""
    _demand(by, DECIDERS, tier)
    return _LISTS[standing](tier, None, after, most)


def _current(tier: Tier, user: User) -> AccessRequest | None:
    """The request by which this person stands in one of the lists."""
    for found in (_LISTS[standing](tier, user, 0, 1) for standing in Standing):
        if found:
            return found[0]
    return None


def _pending(tier: Tier, user: User | None, after: int, most: int) -> list[AccessRequest]:
    """Open applications of people who hold no live grant."""
    waiting = Application.objects.open().filter(tier=tier, pk__gt=after)
    waiting = waiting.exclude(Exists(_live(tier, "applicant")))
    if user is not None:
        waiting = waiting.filter(applicant=user)
    found = list(waiting.select_related("applicant").order_by("pk")[:most])
    answers = _answers(found)
    return [_of_application(one, Standing.PENDING, one.pk, answers) for one in found]


def _accepted(tier: Tier, user: User | None, after: int, most: int) -> list[AccessRequest]:
    """Holders of a live grant, whether or not an application came before it."""
    grants = Grant.objects.live().filter(tier=tier, pk__gt=after)
    if user is not None:
        grants = grants.filter(user=user)
    found = list(grants.select_related("user", "application__applicant").order_by("pk")[:most])
    answers = _answers([grant.application for grant in found if grant.application])
    return [_of_grant(one, Standing.ACCEPTED, one.pk, answers) for one in found]


def _rejected(tier: Tier, user: User | None, after: int, most: int) -> list[AccessRequest]:
    """People whose last word was a rejection or a revocation."""
    refused = _refused_people(tier).filter(pk__gt=after)
    if user is not None:
        refused = refused.filter(pk=user.pk)
    people = list(refused.order_by("pk").values_list("pk", flat=True)[:most])
    rejections = Application.objects.filter(
        tier=tier, applicant__in=people, status=Status.REJECTED
    ).select_related("applicant")
    revocations = Grant.objects.filter(
        tier=tier, user__in=people, state=Grant.State.REVOKED
    ).select_related("user", "application__applicant")
    last: dict[int, tuple[datetime, Application | Grant]] = {}
    for rejection in rejections:
        _keep_later(last, rejection.applicant_id, rejection.decided_at, rejection)
    for revocation in revocations:
        _keep_later(last, revocation.user_id, revocation.ended_at, revocation)
    words = [last[pk][1] for pk in people]
    answers = _answers([application for word in words if (application := _application(word))])
    return [
        _of_application(word, Standing.REJECTED, pk, answers)
        if isinstance(word, Application)
        else _of_grant(word, Standing.REJECTED, pk, answers)
        for pk, word in zip(people, words, strict=True)
    ]


_LISTS: dict[Standing, Callable[[Tier, User | None, int, int], list[AccessRequest]]] = {
    Standing.PENDING: _pending,
    Standing.ACCEPTED: _accepted,
    Standing.REJECTED: _rejected,
}


def _live(tier: Tier, owner: str) -> GrantQuerySet:
    return Grant.objects.live().filter(tier=tier, user=OuterRef(owner))


def _refused_people(tier: Tier) -> QuerySet[User]:
    """Those without access or an open application to whom a "no" was said last."""
    applications = Application.objects.filter(tier=tier, applicant=OuterRef("pk"))
    grants = Grant.objects.filter(tier=tier, user=OuterRef("pk"))
    decided = applications.exclude(decided_at=None)
    said_no = _latest(
        (decided.filter(status=Status.REJECTED), "decided_at"),
        (grants.filter(state=Grant.State.REVOKED), "ended_at"),
    )
    said_else = _latest(
        (decided.exclude(status=Status.REJECTED), "decided_at"),
        (grants.exclude(state=Grant.State.REVOKED), "starts_at"),
    )
    without = User.objects.exclude(Exists(applications.open())).exclude(Exists(_live(tier, "pk")))
    told = without.annotate(said_no=said_no, said_else=said_else)
    return told.filter(said_no__gt=_LONG_AGO, said_no__gte=F("said_else"))


def _latest(*words: tuple[QuerySet[Any], str]) -> Greatest:
    """The newest moment of several records' fields; long ago where there is none."""
    never = Value(_LONG_AGO)
    return Greatest(
        *(
            Coalesce(Subquery(records.order_by(f"-{at}").values(at)[:1]), never)
            for records, at in words
        )
    )


def _keep_later(
    last: dict[int, tuple[datetime, Application | Grant]],
    person: int,
    at: datetime | None,
    word: Application | Grant,
) -> None:
    if at is not None and (person not in last or last[person][0] <= at):
        last[person] = (at, word)


def _application(word: Application | Grant) -> Application | None:
    return word if isinstance(word, Application) else word.application


def _answers(applications: Iterable[Application]) -> dict[int, dict[str, Any]]:
    """The answers last submitted, by application: one query."""
    snapshots = ApplicationSnapshot.objects.filter(application__in=list(applications))
    return {one.application_id: one.answers for one in snapshots.order_by("number")}


def _of_application(
    one: Application, standing: Standing, place: int, answers: dict[int, dict[str, Any]]
) -> AccessRequest:
    return AccessRequest(
        request_id=str(one.public_id),
        standing=standing,
        user=one.applicant,
        at=one.submitted_at or one.created_at,
        place=place,
        answers=answers.get(one.pk, {}),
    )


def _of_grant(
    grant: Grant, standing: Standing, place: int, answers: dict[int, dict[str, Any]]
) -> AccessRequest:
    if grant.application is not None:
        return _of_application(grant.application, standing, place, answers)
    return AccessRequest(str(grant.public_id), standing, grant.user, grant.starts_at, place)


# -- the moves --------------------------------------------------------------------------


def find(tier: Tier, *, by: User, username: str = "", request_id: str = "") -> AccessRequest:
    """The request of this person, or of this id; raises NotAllowed or NotFound."""
    _demand(by, DECIDERS, tier)
    user = person(username) if username else _owner(tier, request_id)
    found = _current(tier, user) if user is not None else None
    if found is None or (request_id and found.request_id != request_id.lower()):
        whom = f"{username} has no request" if username else f"there is no request {request_id}"
        raise NotFound(f"{whom} for {tier.slug}")
    return found


def person(username: str) -> User:
    """The account of this name, or confirmed address; NotFound where there is none that is open."""
    user = usernames.account_of(username)
    if user is None or not user.is_active:
        raise NotFound(f"there is no account {username} here")
    return user


def _owner(tier: Tier, request_id: str) -> User | None:
    """Whose application or grant for this tier has this id."""
    try:
        named = Q(public_id=request_id, tier=tier)
        application = Application.objects.filter(named).select_related("applicant").first()
        grant = Grant.objects.filter(named).select_related("user").first()
    except (ValueError, DjangoValidationError):  # it is no UUID
        return None
    if application is not None:
        return application.applicant
    return grant.user if grant is not None else None


@transaction.atomic
def accept(request: AccessRequest, tier: Tier, *, by: User) -> Grant | None:
    """Claim and approve; a refused request is reopened first, which takes a lead reviewer.

    None where the tier asks for two approvals and this was the first.
    """
    _refuse_same(request, Standing.ACCEPTED)
    _demand_unmoved(request, tier)
    if request.standing is Standing.REJECTED:
        return decisions.approve(decisions.reopen(request.user, tier, by=by), by=by)
    return decisions.approve(_open_application(request, tier), by=by)


@transaction.atomic
def reject(request: AccessRequest, tier: Tier, *, by: User, reason: str = "") -> None:
    """Refuse what is open and revoke what is held, which takes a lead reviewer.

    `reason` is told to the applicant: up to 200 characters, or nothing.
    """
    _refuse_same(request, Standing.REJECTED)
    if len(reason) > MOST_REASON:
        raise InvalidValue(f"a reason has at most {MOST_REASON} characters, not {len(reason)}")
    _demand_unmoved(request, tier)
    if request.standing is Standing.ACCEPTED:
        _demand(by, GRANT_MANAGERS, tier)
        break_glass.take_away(request.user, tier, reason=reason or Reason.UNSPECIFIED.value, by=by)
        waiting = _open_ones(request, tier).first()
    else:
        waiting = _open_application(request, tier)
    if waiting is not None:
        decisions.reject(waiting, by=by, reasons=[Reason.UNSPECIFIED.value], note=reason)


@transaction.atomic
def cancel(request: AccessRequest, tier: Tier, *, by: User) -> None:
    """Back to the queue, without access; takes a lead reviewer."""
    _refuse_same(request, Standing.PENDING)
    _demand(by, GRANT_MANAGERS, tier)
    _demand_unmoved(request, tier)
    if _open_ones(request, tier).exists():  # access was given beside the queue
        break_glass.take_away(request.user, tier, reason=Reason.UNSPECIFIED.value, by=by)
    else:
        decisions.reopen(request.user, tier, by=by)


def grant(tier: Tier, username: str, *, by: User) -> Grant:
    """Give access without a request, for the tier's term; takes a lead reviewer."""
    _demand(by, GRANT_MANAGERS, tier)
    user = person(username)
    if Grant.objects.live().filter(user=user, tier=tier).exists():
        raise AlreadyHeld(f"{user} has access to {tier.slug} already")
    return break_glass.give(user, tier, days=tier.term_days, reason=GIVEN_REASON, by=by)


def _open_ones(request: AccessRequest, tier: Tier) -> QuerySet[Application]:
    return Application.objects.open().filter(applicant=request.user, tier=tier)


def _open_application(request: AccessRequest, tier: Tier) -> Application:
    waiting = _open_ones(request, tier).first()
    if waiting is None:  # decided a moment ago by somebody else
        raise NotFound(f"{request.user} has no open request for {tier.slug}")
    return waiting


def _refuse_same(request: AccessRequest, standing: Standing) -> None:
    if request.standing is standing:
        raise NotFound(f"the request of {request.user} is {standing} already")


def _demand_unmoved(request: AccessRequest, tier: Tier) -> None:
    """Refuse what somebody else has moved since it was found; no other request moves it now."""
    lock_user(request.user)
    now = _current(tier, request.user)
    if now is None or (now.standing, now.request_id) != (request.standing, request.request_id):
        told = f"the request of {request.user} was decided a moment ago by somebody else"
        raise NotFound(f"{told}; read the lists again")


def _demand(by: User, roles: frozenset[Role], tier: Tier) -> None:
    if not RoleAssignment.objects.covers(by, roles, tier):
        raise NotAllowed(f"your roles do not let you do that for {tier.slug}")
