"""The decorators of the write routes: permissions, and errors as clients print them."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from accounts import errors as account_errors
from accounts.errors import AccountsCode, DomainError, ErrorCode
from accounts.users.models import User
from weights import errors
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.errors import GateRefused, WeightsCode
from weights.gate import Decision
from weights.gate.caller import Caller
from weights.gate.refusals import Missing, Refusal, sentence
from weights.hub_api.authentication import bearer_caller
from weights.hub_api.decorators import View, hub_view, require_second_factor
from weights.hub_api.errors import refusal
from weights.publishing.drafts import owners

#: Error class -> status; the most specific class counts. All other errors are 400.
_STATUS: dict[type[Exception], int] = {
    account_errors.NotAllowed: 403,
    account_errors.RecentAuthenticationRequired: 403,
    account_errors.TransitionRefused: 409,
    account_errors.TierRetired: 409,
    errors.NameTaken: 409,
    errors.FindingsRefused: 400,
    errors.PublishRefused: 409,
    errors.BranchMoved: 412,
    errors.QuotaExceeded: 413,
    errors.BlobTooLarge: 413,
    errors.StorageUnavailable: 503,
    errors.UploadPending: 503,
    errors.StorageFull: 507,
}
#: Retry-After, in seconds, when this process is already receiving as many bodies as it may.
_BUSY_SECONDS = 5
#: Codes for which clients have their own exception.
_MISSING: dict[ErrorCode, Missing] = {
    WeightsCode.REVISION_NOT_FOUND: Missing.REVISION,
    WeightsCode.ENTRY_NOT_FOUND: Missing.ENTRY,
}


def writer_view(
    *methods: str, authenticate: Callable[[HttpRequest], Caller] = bearer_caller
) -> Callable[[View], View]:
    """The decorator of a write route: domain errors become responses."""

    def decorate(view: View) -> View:
        @hub_view(*methods, authenticate=authenticate)
        @wraps(view)
        def wrapper(request: HttpRequest, caller: Caller, **params: str) -> HttpResponseBase:
            try:
                return view(request, caller, **params)
            except DomainError as error:
                return _response(request, caller, error)

        return wrapper

    return decorate


def owner_view(*methods: str) -> Callable[[View], View]:
    """Like `writer_view`; passes an owner with a token of scope `write`, and the checkpoint."""

    def decorate(view: View) -> View:
        @writer_view(*methods)
        @wraps(view)
        def wrapper(
            request: HttpRequest, caller: Caller, org: str, name: str, **params: str
        ) -> HttpResponseBase:
            owner, checkpoint = owned_checkpoint(caller, f"{org}/{name}")
            return view(request, owner, checkpoint, **params)

        return wrapper

    return decorate


def require_writer(caller: Caller, repo_id: str) -> User:
    """The user of a token that may write to `repo_id`; does not check their roles.

    Raises GateRefused, RecentAuthenticationRequired, and NotAllowed without a second factor.
    """
    user = owners.require_writer(caller, repo_id)
    require_second_factor(user)
    return user


def owned_checkpoint(caller: Caller, repo_id: str) -> tuple[User, Checkpoint]:
    """The caller's user and the checkpoint that they own, which may be a draft.

    Raises the errors of `require_writer`, GateRefused for a checkpoint that is missing or hidden
    from the caller, and NotAllowed for one that they may only read.
    """
    user = require_writer(caller, repo_id)
    org, _, name = repo_id.partition("/")
    checkpoint = Checkpoint.objects.filter(org=org, name=name).select_related("tier").first()
    if checkpoint is None:
        raise GateRefused(Missing.REPOSITORY, sentence(Missing.REPOSITORY, repo=repo_id))
    owners.require_owner(caller, checkpoint)
    return user, checkpoint


def not_offered(reason: str) -> HttpResponse:
    """400 for a request of the Hub's protocol that this portal does not support by design."""
    return serving.problem(400, AccountsCode.REFUSED, reason)


def _response(request: HttpRequest, caller: Caller, error: DomainError) -> HttpResponseBase:
    missing = error.code if isinstance(error.code, Missing) else _MISSING.get(error.code)
    if missing is not None:
        return refusal(request, caller, Decision(missing=missing, message=str(error)))
    if isinstance(error.code, Refusal):
        # Without `GatedRepo`, since clients would then tell staff to apply for access.
        decision = Decision(code=error.code, message=str(error))
        return serving.refusal(request, caller, decision)
    if error.code == WeightsCode.BODY_TOO_LONG:
        return serving.problem(413, error.code, str(error))
    if error.code == WeightsCode.BUSY:
        return serving.problem(503, error.code, str(error), wait=_BUSY_SECONDS)
    status = next((_STATUS[one] for one in type(error).__mro__ if one in _STATUS), 400)
    return serving.problem(status, error.code, str(error))
