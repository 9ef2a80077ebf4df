"""The Hub's routes for access requests: list and decide them (docs/clients.md#for-staff).

Who may do what, and what it does, is `accounts.access_requests`; here it is read and told.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils import timezone

from accounts.api_tokens.models import Scope
from accounts.errors import AccountsError, InvalidValue, NotAllowed, NotFound
from accounts.review import access_requests
from accounts.review.access_requests import AccessRequest, Standing
from accounts.tiers.models import Tier
from accounts.users import second_factor
from accounts.users.models import User
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.errors import BadBody
from weights.gate import Decision
from weights.gate.caller import Caller, Refusal
from weights.hub_api import payloads
from weights.hub_api.errors import Refused
from weights.hub_api.views import hub_view
from weights.web import strict_json

PAGE = 1000
#: Every other refusal of the domain is 400.
_STATUS: dict[type[AccountsError], int] = {NotAllowed: 403, NotFound: 404}

View = Callable[..., HttpResponseBase]


def administration(*methods: str) -> Callable[[View], View]:
    """Demand the scope `admin`; give the view the token's owner and the gated checkpoint.

    Refusals carry no `GatedRepo`: the client would send staff to the application form.
    """

    def decorate(view: View) -> View:
        @hub_view(*methods)
        @wraps(view)
        def answer(
            request: HttpRequest, caller: Caller, org: str, name: str, **names: str
        ) -> HttpResponseBase:
            if request.method == "POST" and request.content_type != "application/json":
                sentence = "Send the body as application/json."
                return serving.problem(415, "unsupported_media_type", sentence)
            if caller.user is None or caller.token is None:
                nobody = "Send a token to administer access requests."
                return _refused(request, caller, Refusal.LOGIN_REQUIRED, nobody)
            if Scope.ADMIN not in caller.token.scopes:
                narrow = "This token lacks the scope admin; make one that has it."
                return _refused(request, caller, Refusal.TOKEN_SCOPE, narrow)
            try:
                _demand_second_factor(caller.user)
                checkpoint = _gated(caller, f"{org}/{name}")
                return view(request, caller.user, checkpoint, **names)
            except AccountsError as error:
                return serving.problem(_STATUS.get(type(error), 400), error.code, str(error))
            except BadBody as error:
                return serving.problem(400, error.code, str(error))

        return answer

    return decorate


def _refused(request: HttpRequest, caller: Caller, code: Refusal, message: str) -> HttpResponseBase:
    return serving.refusal(request, caller, Decision(code=code, message=message))


def _demand_second_factor(person: User) -> None:
    """A token is no way around what the admin asks of staff."""
    if not second_factor.satisfied_by(person):
        page = f"{settings.PUBLIC_URL}/accounts/2fa/"
        raise NotAllowed(f"staff need a second factor: set one up at {page}, then call again")


def _gated(caller: Caller, repo_id: str) -> Checkpoint:
    """The checkpoint of this name; one that the caller may not know of does not exist."""
    decision = gate.may_read_about(caller, repo_id, timezone.now())
    if not decision.allowed or decision.checkpoint is None:
        raise Refused(decision)
    if not decision.checkpoint.tier.is_gated:
        raise InvalidValue(f"{repo_id} is open to everybody: there is no access to decide on")
    return decision.checkpoint


# -- the views ---------------------------------------------------------------------------


@administration("GET", "HEAD")
def listed(
    request: HttpRequest, by: User, checkpoint: Checkpoint, standing: str
) -> HttpResponseBase:
    """One list, a page at a time; a `Link` header names the next."""
    after = _place(request.GET.get("cursor", ""))
    found = access_requests.listed(
        checkpoint.tier, Standing(standing), by=by, after=after, most=PAGE + 1
    )
    response = _json([_told(one) for one in found[:PAGE]])
    if len(found) > PAGE:
        address = f"{settings.PUBLIC_URL}/api/models/{checkpoint}/user-access-request/{standing}"
        response["Link"] = f'<{address}?cursor={found[PAGE - 1].place}>; rel="next"'
    return response


@administration("POST")
def handle(request: HttpRequest, by: User, checkpoint: Checkpoint) -> HttpResponseBase:
    """Move one request to another list."""
    body = _body(request)
    username, request_id = _text(body, "user"), _text(body, "requestId")
    if bool(username) == bool(request_id):
        raise InvalidValue("name either the user or the requestId, not both")
    standing, reason = _standing(body), _text(body, "rejectionReason").strip()
    if reason and standing is not Standing.REJECTED:
        raise InvalidValue("a rejectionReason goes with the status rejected alone")
    tier = checkpoint.tier
    found = access_requests.find(tier, by=by, username=username, request_id=request_id)
    _move(found, tier, standing, by, reason)
    return _json({})


@administration("POST")
def grant(request: HttpRequest, by: User, checkpoint: Checkpoint) -> HttpResponseBase:
    """Give access to somebody who need not have asked."""
    username = _text(_body(request), "user")
    if not username:
        raise InvalidValue("name the user to give access to")
    access_requests.grant(checkpoint.tier, username, by=by)
    return _json({})


def _move(found: AccessRequest, tier: Tier, standing: Standing, by: User, reason: str) -> None:
    if standing is Standing.ACCEPTED:
        access_requests.accept(found, tier, by=by)
    elif standing is Standing.REJECTED:
        access_requests.reject(found, tier, by=by, reason=reason)
    else:
        access_requests.cancel(found, tier, by=by)


# -- what is sent and told ---------------------------------------------------------------


def _body(request: HttpRequest) -> dict[str, Any]:
    """The object that was sent; raises BadBody for what is no JSON within its bounds."""
    body = strict_json.read(request.body)
    if not isinstance(body, dict):
        raise InvalidValue("send a JSON object")
    return body


def _text(body: dict[str, Any], key: str) -> str:
    """A text; empty where none was sent."""
    text = body.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise InvalidValue(f"{key} must be a text")
    return text


def _standing(body: dict[str, Any]) -> Standing:
    status = _text(body, "status")
    if status not in Standing.values:
        raise InvalidValue(f"the status must be one of {', '.join(Standing.values)}")
    return Standing(status)


def _place(cursor: str) -> int:
    return int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 19 else 0


def _told(one: AccessRequest) -> dict[str, Any]:
    return {
        "requestId": one.request_id,
        "status": one.standing.value,
        "timestamp": payloads.date(one.at),
        "user": {
            "user": one.user.username,
            "fullname": one.user.display_name,
            "email": one.user.email,
        },
        "fields": one.answers,
    }


def _json(told: Any) -> JsonResponse:
    response = JsonResponse(told, safe=False)
    response["Cache-Control"] = "private, no-store"
    return response
