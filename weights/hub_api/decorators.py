"""The decorator of all Hub views: methods, authentication and error responses."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.background.outages import DATABASE_ERRORS, outage_message
from accounts.errors import AccountsCode, NotAllowed, RecentAuthenticationRequired
from accounts.users.models import User
from accounts.users.second_factor import has_required_second_factor
from accounts.web.sanitize import storable
from weights import gate
from weights.delivery import serving
from weights.errors import WeightsCode
from weights.gate import Decision
from weights.gate.caller import ANONYMOUS, Caller, TokenClaim
from weights.hub_api.authentication import bearer_caller
from weights.hub_api.errors import RequestRefused, refusal
from weights.web import cross_origin

#: Headers of a CORS preflight, which browsers send before requests that are not simple.
_PREFLIGHT = {"HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_METHOD"}
View = Callable[..., HttpResponseBase]
Credential = TypeVar("Credential", Caller, Caller | TokenClaim)


def hub_view(
    *methods: str, authenticate: Callable[[HttpRequest], Credential] = bearer_caller
) -> Callable[[View], View]:
    """Authenticates the caller and returns errors for invalid methods, credentials and bodies.

    The view receives `request`, the caller and the URL's parameters. It is exempt from CSRF
    checks: browsers do not send tokens automatically, and a session only permits reads here.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def wrapper(request: HttpRequest, **params: str) -> HttpResponseBase:
            is_preflight = request.method == "OPTIONS" and request.META.keys() >= _PREFLIGHT
            if request.method not in methods and not is_preflight:
                return _method_not_allowed(methods)
            try:
                if is_preflight:
                    return _preflight(params)
                caller = authenticate(request)
                _require_valid(caller)
                cleaned = {name: storable(value) for name, value in params.items()}
                return view(request, caller, **cleaned)
            except RequestRefused as refused:
                return refusal(request, refused.decision.caller, refused.decision)
            except RecentAuthenticationRequired as error:
                return serving.problem(403, error.code, str(error))
            except (SuspiciousOperation, UnreadablePostError) as error:
                return _unreadable_body(error)
            except DatabaseError as error:
                return _database_unavailable(error)

        return wrapper

    return decorate


def require_second_factor(user: User) -> None:
    """Raises NotAllowed without a second factor: tokens must not bypass what the admin requires."""
    if not has_required_second_factor(user):
        page = settings.PUBLIC_URL + reverse("mfa_index")
        raise NotAllowed(f"staff need a second factor: set one up at {page}, then call again")


def _preflight(params: dict[str, str]) -> HttpResponseBase:
    """Allow pages of other origins to read open checkpoints; reveals nothing about any other."""
    response = HttpResponse(status=204)
    if "org" in params and "name" in params:
        repo_id = f"{params['org']}/{params['name']}"
        decision = gate.may_read_checkpoint(ANONYMOUS, repo_id, timezone.now())
        checkpoint = decision.checkpoint
        if decision.allowed and checkpoint and cross_origin.is_public(ANONYMOUS, checkpoint):
            for header, value in cross_origin.PREFLIGHT.items():
                response[header] = value
    return response


def _unreadable_body(error: Exception) -> HttpResponseBase:
    if isinstance(error, RequestDataTooBig):
        return serving.problem(413, AccountsCode.BODY_TOO_LARGE, "The body is larger than 1 MiB.")
    return serving.problem(400, AccountsCode.BAD_REQUEST, "The request body cannot be read.")


def _database_unavailable(error: DatabaseError) -> HttpResponseBase:
    serving.log.error(outage_message(error), exc_info=not isinstance(error, DATABASE_ERRORS))
    return serving.problem(503, WeightsCode.DATABASE_UNAVAILABLE, "Try again in a moment.")


def _require_valid(caller: Caller | TokenClaim) -> None:
    if isinstance(caller, Caller) and caller.problem is not None:
        raise RequestRefused(Decision(code=caller.problem, message=gate.sentence(caller.problem)))


def _method_not_allowed(methods: Sequence[str]) -> HttpResponseBase:
    response = serving.problem(405, AccountsCode.METHOD_NOT_ALLOWED, f"Use {' or '.join(methods)}.")
    response["Allow"] = ", ".join(methods)
    return response
