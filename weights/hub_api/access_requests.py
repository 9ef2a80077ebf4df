"""The Hub's routes for staff to list and decide access requests (docs/clients.md#for-staff).

`accounts.review.access_requests` holds the rules; this module translates them to HTTP.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from accounts.api_tokens.models import Scope
from accounts.change_requests.models import ChangeRequest
from accounts.errors import (
    AccountsCode,
    AccountsError,
    ConfirmationRequired,
    InvalidValue,
    NotAllowed,
    NotFound,
)
from accounts.review import access_requests
from accounts.review.access_requests import AccessRequest, RequestStatus
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.errors import BadBody
from weights.gate import Decision
from weights.gate.caller import Caller
from weights.gate.refusals import Refusal
from weights.hub_api import payloads
from weights.hub_api.decorators import View, hub_view, require_second_factor
from weights.hub_api.errors import RequestRefused, waiting
from weights.hub_api.responses import json_response, next_link, number_param
from weights.web import strict_json

PAGE_SIZE = 1000
#: Header with the value `true` that confirms an approval; HfApi(headers=…) sends it.
CONFIRMED = "X-Confirmed"
#: Every other domain error is 400.
_STATUS: dict[type[AccountsError], int] = {NotAllowed: 403, NotFound: 404}


def admin_view(*methods: str) -> Callable[[View], View]:
    """Requires a token of scope `admin`; passes its owner and a gated checkpoint to the view.

    Refusals omit the code `GatedRepo`, since clients would then tell staff to apply for access.
    """

    def decorate(view: View) -> View:
        @hub_view(*methods)
        @wraps(view)
        def wrapper(
            request: HttpRequest, caller: Caller, org: str, name: str, **params: str
        ) -> HttpResponseBase:
            if request.method == "POST" and request.content_type != "application/json":
                message = "Send the body as application/json."
                return serving.problem(415, AccountsCode.UNSUPPORTED_MEDIA_TYPE, message)
            if caller.user is None or caller.token is None:
                message = "Send a token to administer access requests."
                return _refusal(request, caller, Refusal.LOGIN_REQUIRED, message)
            if Scope.ADMIN not in caller.token.scopes:
                message = "This token lacks the scope admin; create one that has it."
                return _refusal(request, caller, Refusal.TOKEN_SCOPE, message)
            recent_authentication.require_token(caller.token.recently_authenticated)
            try:
                require_second_factor(caller.user)
                checkpoint = _gated_checkpoint(caller, f"{org}/{name}")
                if not caller.token.covers(checkpoint.repo_id):
                    message = "This token is limited to other checkpoints; create one that is not."
                    return _refusal(request, caller, Refusal.TOKEN_SCOPE, message)
                return view(request, caller.user, checkpoint, **params)
            except ConfirmationRequired as error:
                message = f"{error}. To confirm, send the header {CONFIRMED}: true."
                return serving.problem(409, error.code, message)
            except AccountsError as error:
                return serving.problem(_STATUS.get(type(error), 400), error.code, str(error))
            except BadBody as error:
                return serving.problem(400, error.code, str(error))

        return wrapper

    return decorate


def _refusal(request: HttpRequest, caller: Caller, code: Refusal, message: str) -> HttpResponseBase:
    return serving.refusal(request, caller, Decision(code=code, message=message))


def _gated_checkpoint(caller: Caller, repo_id: str) -> Checkpoint:
    """The gated checkpoint `repo_id`; RequestRefused if it is not visible to the caller."""
    decision = gate.may_read_checkpoint(caller, repo_id, timezone.now())
    if not decision.allowed or decision.checkpoint is None:
        raise RequestRefused(decision)
    if not decision.checkpoint.tier.is_gated:
        raise InvalidValue(f"{repo_id} is open to everyone, so it has no access requests")
    return decision.checkpoint


# -- views -------------------------------------------------------------------------------


@admin_view("GET", "HEAD")
def access_request_list(
    request: HttpRequest, staff: User, checkpoint: Checkpoint, standing: str
) -> HttpResponseBase:
    """A page of one list; a `Link` header names the next page."""
    after = number_param(request, "cursor", digits=18)
    found = access_requests.list_requests(
        checkpoint.tier, RequestStatus(standing), by=staff, after=after, limit=PAGE_SIZE + 1
    )
    response = json_response([_access_request(one) for one in found[:PAGE_SIZE]])
    if len(found) > PAGE_SIZE:
        path = reverse("hub:access-requests", args=[checkpoint.org, checkpoint.name, standing])
        response["Link"] = next_link(request, path, found[PAGE_SIZE - 1].cursor)
    return response


@admin_view("POST")
def handle(request: HttpRequest, staff: User, checkpoint: Checkpoint) -> HttpResponseBase:
    """Moves one request to another list.

    The Hub's body has no checklist, so an acceptance needs the header CONFIRMED.
    """
    body = strict_json.read_object(request)
    username, request_id = strict_json.text(body, "user"), strict_json.text(body, "requestId")
    if bool(username) == bool(request_id):
        raise InvalidValue("name either the user or the requestId, not both")
    standing, reason = _standing(body), strict_json.text(body, "rejectionReason").strip()
    if reason and standing is not RequestStatus.REJECTED:
        raise InvalidValue("rejectionReason is valid only with the status rejected")
    tier = checkpoint.tier
    found = access_requests.get_request(tier, by=staff, username=username, request_id=request_id)
    confirmed = request.headers.get(CONFIRMED, "").lower() == "true"
    _move(found, tier, standing, staff, reason, confirmed=confirmed)
    return json_response({})


@admin_view("POST")
def grant(request: HttpRequest, staff: User, checkpoint: Checkpoint) -> HttpResponseBase:
    """Grants access to a user, whether or not they requested it.

    Answers 403 `second_person_required` while the grant waits for a second person.
    """
    username = strict_json.text(strict_json.read_object(request), "user")
    if not username:
        raise InvalidValue("name the user to give access to")
    result = access_requests.grant(checkpoint.tier, username, by=staff)
    return waiting(result) if isinstance(result, ChangeRequest) else json_response({})


def _move(
    found: AccessRequest,
    tier: Tier,
    standing: RequestStatus,
    staff: User,
    reason: str,
    *,
    confirmed: bool,
) -> None:
    if standing is RequestStatus.ACCEPTED:
        access_requests.accept(found, tier, by=staff, confirmed=confirmed)
    elif standing is RequestStatus.REJECTED:
        access_requests.reject(found, tier, by=staff, reason=reason)
    else:
        access_requests.cancel(found, tier, by=staff)


# -- bodies ------------------------------------------------------------------------------


def _standing(body: dict[str, Any]) -> RequestStatus:
    status = strict_json.text(body, "status")
    if status not in RequestStatus.values:
        raise InvalidValue(f"the status must be one of {', '.join(RequestStatus.values)}")
    return RequestStatus(status)


def _access_request(one: AccessRequest) -> dict[str, Any]:
    return {
        "requestId": one.request_id,
        "status": one.status.value,
        "timestamp": payloads.date(one.at),
        "user": {
            "user": one.user.username,
            "fullname": one.user.display_name,
            "email": one.user.email,
        },
        "fields": one.answers,
    }
