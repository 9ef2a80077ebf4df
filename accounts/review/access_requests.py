"""Access requests for a tier as the Hub API shows them: three lists, and moves between them.

The admin offers every move too (approve, reject, reopen, grant, revoke), to the same roles.
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
from accounts.applications.transition_table import Status
from accounts.applications.workflow import decisions
from accounts.background.locks import lock_user
from accounts.change_requests.models import ChangeRequest
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, NotFound
from accounts.grants import break_glass
from accounts.grants.models import Grant, GrantQuerySet
from accounts.review.reasons import Reason
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS, GRANT_MANAGERS, Role
from accounts.tiers.models import Tier
from accounts.users import usernames
from accounts.users.models import User

MAX_REASON_LENGTH = 200
API_GRANT_REASON = "granted through the API"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class RequestStatus(TextChoices):
    """The list that a request is in."""

    PENDING = "pending", "Awaiting a decision"
    ACCEPTED = "accepted", "Has access"
    REJECTED = "rejected", "Rejected, or access revoked"


@dataclass(frozen=True)
class AccessRequest:
    """One entry of a list, with the answers of the last submission."""

    request_id: str
    status: RequestStatus
    user: User
    at: datetime
    #: The sort key in the list, after which the next page begins.
    cursor: int
    answers: dict[str, Any] = field(default_factory=dict)


# -- lists ------------------------------------------------------------------------------


def list_requests(
    tier: Tier, status: RequestStatus, *, by: User, after: int = 0, limit: int = 1000
) -> list[AccessRequest]:
    """Return up to `limit` requests with a cursor above `after`.

    Raises NotAllowed unless `by` decides applications of the tier.
    """
    _require_role(by, DECIDERS, tier)
    return _LISTS[status](tier, None, after, limit)


def _current(tier: Tier, user: User) -> AccessRequest | None:
    """Return the request of `user` from any list."""
    for status in RequestStatus:
        if requests := _LISTS[status](tier, user, 0, 1):
            return requests[0]
    return None


def _pending(tier: Tier, user: User | None, after: int, limit: int) -> list[AccessRequest]:
    """Return the open applications of people without a live grant."""
    waiting = Application.objects.open().filter(tier=tier, pk__gt=after)
    waiting = waiting.exclude(Exists(_live_grants(tier, "applicant")))
    if user is not None:
        waiting = waiting.filter(applicant=user)
    page = list(waiting.select_related("applicant").order_by("pk")[:limit])
    answers = _answers(page)
    return [_from_application(one, RequestStatus.PENDING, one.pk, answers) for one in page]


def _accepted(tier: Tier, user: User | None, after: int, limit: int) -> list[AccessRequest]:
    """Return the holders of a live grant, with or without an application."""
    grants = Grant.objects.live().filter(tier=tier, pk__gt=after)
    if user is not None:
        grants = grants.filter(user=user)
    page = list(grants.select_related("user", "application__applicant").order_by("pk")[:limit])
    answers = _answers(grant.application for grant in page if grant.application)
    return [_from_grant(one, RequestStatus.ACCEPTED, one.pk, answers) for one in page]


def _rejected(tier: Tier, user: User | None, after: int, limit: int) -> list[AccessRequest]:
    """Return the people whose last decision was a rejection or a revocation."""
    refused = _refused_people(tier).filter(pk__gt=after)
    if user is not None:
        refused = refused.filter(pk=user.pk)
    people = list(refused.order_by("pk").values_list("pk", flat=True)[:limit])
    last = _last_refusals(tier, people)
    answers = _answers(
        one if isinstance(one, Application) else one.application
        for one in last.values()
        if isinstance(one, Application) or one.application
    )
    return [
        _from_application(one, RequestStatus.REJECTED, pk, answers)
        if isinstance(one := last[pk], Application)
        else _from_grant(one, RequestStatus.REJECTED, pk, answers)
        for pk in people
    ]


_LISTS: dict[RequestStatus, Callable[[Tier, User | None, int, int], list[AccessRequest]]] = {
    RequestStatus.PENDING: _pending,
    RequestStatus.ACCEPTED: _accepted,
    RequestStatus.REJECTED: _rejected,
}


def _live_grants(tier: Tier, user_field: str) -> GrantQuerySet:
    return Grant.objects.live().filter(tier=tier, user=OuterRef(user_field))


def _refused_people(tier: Tier) -> QuerySet[User]:
    """Return people without access or an open application whose last decision was a refusal."""
    applications = Application.objects.filter(tier=tier, applicant=OuterRef("pk"))
    grants = Grant.objects.filter(tier=tier, user=OuterRef("pk"))
    decided = applications.exclude(decided_at=None)
    refused_at = _latest(
        (decided.filter(status=Status.REJECTED), "decided_at"),
        (grants.filter(state=Grant.State.REVOKED), "ended_at"),
    )
    other_at = _latest(
        (decided.exclude(status=Status.REJECTED), "decided_at"),
        (grants.exclude(state=Grant.State.REVOKED), "starts_at"),
    )
    people = User.objects.exclude(Exists(applications.open())).exclude(
        Exists(_live_grants(tier, "pk"))
    )
    people = people.annotate(refused_at=refused_at, other_at=other_at)
    return people.filter(refused_at__gt=_LONG_AGO, refused_at__gte=F("other_at"))


def _latest(*columns: tuple[QuerySet[Any], str]) -> Greatest:
    """Return the newest value of these fields of correlated querysets; 1970 if there is none."""
    return Greatest(
        *(
            Coalesce(Subquery(records.order_by(f"-{at}").values(at)[:1]), Value(_LONG_AGO))
            for records, at in columns
        )
    )


def _last_refusals(tier: Tier, people: list[int]) -> dict[int, Application | Grant]:
    """Return each person's last rejected application or revoked grant, by the person's key."""
    rejections = Application.objects.filter(
        tier=tier, applicant__in=people, status=Status.REJECTED
    ).select_related("applicant")
    revocations = Grant.objects.filter(
        tier=tier, user__in=people, state=Grant.State.REVOKED
    ).select_related("user", "application__applicant")
    dated: list[tuple[datetime | None, int, Application | Grant]] = [
        *((one.decided_at, one.applicant_id, one) for one in rejections),
        *((one.ended_at, one.user_id, one) for one in revocations),
    ]
    dated.sort(key=lambda entry: entry[0] or _LONG_AGO)
    return {person: record for at, person, record in dated if at is not None}


def _answers(applications: Iterable[Application | None]) -> dict[int, dict[str, Any]]:
    """Return the last submitted answers, by the application's key, in one query."""
    snapshots = ApplicationSnapshot.objects.filter(application__in=list(applications))
    return {one.application_id: one.answers for one in snapshots.order_by("number")}


def _from_application(
    one: Application, status: RequestStatus, cursor: int, answers: dict[int, dict[str, Any]]
) -> AccessRequest:
    at = one.submitted_at or one.created_at
    return AccessRequest(
        str(one.public_id), status, one.applicant, at, cursor, answers.get(one.pk, {})
    )


def _from_grant(
    grant: Grant, status: RequestStatus, cursor: int, answers: dict[int, dict[str, Any]]
) -> AccessRequest:
    if grant.application is not None:
        return _from_application(grant.application, status, cursor, answers)
    return AccessRequest(str(grant.public_id), status, grant.user, grant.starts_at, cursor)


# -- moves ------------------------------------------------------------------------------


def get_request(tier: Tier, *, by: User, username: str = "", request_id: str = "") -> AccessRequest:
    """Return the request with this username or id. Raises NotAllowed or NotFound."""
    _require_role(by, DECIDERS, tier)
    user = get_account(username) if username else _owner(tier, request_id)
    request = _current(tier, user) if user is not None else None
    if request is None or (request_id and request.request_id != request_id.lower()):
        missing = f"{username} has no request" if username else f"there is no request {request_id}"
        raise NotFound(f"{missing} for {tier.slug}")
    return request


def get_account(username: str) -> User:
    """Return the active account with this name or confirmed address. Raises NotFound."""
    user = usernames.find_account(username)
    if user is None or not user.is_active:
        raise NotFound(f"there is no account {username} here")
    return user


def _owner(tier: Tier, request_id: str) -> User | None:
    """Return the owner of the application or grant with this id for the tier."""
    try:
        by_id = Q(public_id=request_id, tier=tier)
        application = Application.objects.filter(by_id).select_related("applicant").first()
        grant = Grant.objects.filter(by_id).select_related("user").first()
    except (ValueError, DjangoValidationError):  # not a UUID
        return None
    if application is not None:
        return application.applicant
    return grant.user if grant is not None else None


@transaction.atomic
def accept(
    request: AccessRequest, tier: Tier, *, by: User, confirmed: bool = False
) -> Grant | None:
    """Claim and approve. A rejected request is reopened first, which requires a lead reviewer.

    Returns None while the grant has not started, see `decisions.approve`. The Hub API has no
    checklist; raises ConfirmationRequired for open remarks, unless `confirmed`.
    """
    _lock_unchanged(request, RequestStatus.ACCEPTED, tier)
    if request.status is RequestStatus.REJECTED:
        application = decisions.reopen(request.user, tier, by=by)
    else:
        application = _open_application(request, tier)
    return decisions.approve(application, by=by, confirmed=confirmed)


@transaction.atomic
def reject(request: AccessRequest, tier: Tier, *, by: User, reason: str = "") -> None:
    """Reject an open application; revoke a grant, which requires a lead reviewer.

    The applicant reads `reason`, of up to 200 characters.
    """
    if len(reason) > MAX_REASON_LENGTH:
        raise InvalidValue(
            f"a reason has at most {MAX_REASON_LENGTH} characters, not {len(reason)}"
        )
    _lock_unchanged(request, RequestStatus.REJECTED, tier)
    if request.status is RequestStatus.ACCEPTED:
        _require_role(by, GRANT_MANAGERS, tier)
        break_glass.revoke(request.user, tier, reason=reason or Reason.UNSPECIFIED.value, by=by)
        application = _open_applications(request, tier).first()
    else:
        application = _open_application(request, tier)
    if application is not None:
        decisions.reject(application, by=by, reasons=[Reason.UNSPECIFIED.value], note=reason)


@transaction.atomic
def cancel(request: AccessRequest, tier: Tier, *, by: User) -> None:
    """Return a decided request to the queue and end its access; requires a lead reviewer."""
    _lock_unchanged(request, RequestStatus.PENDING, tier)
    _require_role(by, GRANT_MANAGERS, tier)
    if _open_applications(request, tier).exists():  # the grant came from outside the queue
        break_glass.revoke(request.user, tier, reason=Reason.UNSPECIFIED.value, by=by)
    else:
        decisions.reopen(request.user, tier, by=by)


def grant(tier: Tier, username: str, *, by: User) -> Grant | ChangeRequest:
    """Grant access without a request, for the tier's term; requires a lead reviewer.

    If the tier requires two approvals, open a change request, which a second person confirms.
    """
    _require_role(by, GRANT_MANAGERS, tier)
    user = get_account(username)
    if Grant.objects.live().filter(user=user, tier=tier).exists():
        raise AlreadyHeld(f"{user} has access to {tier.slug} already")
    give = break_glass.create_by_one if tier.approvals_needed == 1 else break_glass.request_access
    return give(user, tier, days=tier.term_days, reason=API_GRANT_REASON, by=by)


def _open_applications(request: AccessRequest, tier: Tier) -> QuerySet[Application]:
    return Application.objects.open().filter(applicant=request.user, tier=tier)


def _open_application(request: AccessRequest, tier: Tier) -> Application:
    application = _open_applications(request, tier).first()
    if application is None:  # another reviewer decided it a moment ago
        raise NotFound(f"{request.user} has no open request for {tier.slug}")
    return application


def _lock_unchanged(request: AccessRequest, status: RequestStatus, tier: Tier) -> None:
    """Lock the requests of the user for a move to `status`.

    Raises NotFound if the request has that status, or if it changed since it was read.
    """
    if request.status is status:
        raise NotFound(f"the request of {request.user} is {status} already")
    lock_user(request.user)
    now = _current(tier, request.user)
    if now is None or (now.status, now.request_id) != (request.status, request.request_id):
        raise NotFound(
            f"the request of {request.user} was just decided by somebody else; reload the lists"
        )


def _require_role(by: User, roles: frozenset[Role], tier: Tier) -> None:
    if not RoleAssignment.objects.covers(by, roles, tier):
        raise NotAllowed(f"your roles do not let you do that for {tier.slug}")
