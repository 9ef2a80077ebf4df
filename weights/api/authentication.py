"""Authentication of API requests by bearer tokens; cookies are ignored."""

from typing import cast

from django.http import HttpRequest
from django.urls import reverse
from ninja.security.http import HttpAuthBase

from accounts.api_tokens.models import Scope
from accounts.users.models import User
from weights import gate
from weights.api.problems import ApiError
from weights.api.schemas.common import absolute_url
from weights.gate import Decision
from weights.gate.caller import Caller, token_caller
from weights.gate.refusals import Refusal


class ApiRequest(HttpRequest):
    """An authenticated request; ninja stores the caller in `auth`."""

    auth: Caller


class OptionalToken(HttpAuthBase):
    """Accepts anonymous requests; an invalid token is refused, even for public data."""

    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> Caller:
        caller = token_caller(request.headers.get("Authorization"))
        if caller.problem is not None:
            decision = Decision(code=caller.problem, message=gate.sentence(caller.problem))
            raise ApiError.from_decision(decision)
        if caller.token is not None and Scope.READ not in caller.token.scopes:
            raise ApiError(Refusal.TOKEN_SCOPE, "This token lacks the scope read.")
        return caller


class BearerToken(OptionalToken):
    """Requires a valid token, for data about its owner."""

    openapi_description = "A token created at /settings/tokens/, as `Authorization: Bearer hf_wb…`."

    def __call__(self, request: HttpRequest) -> Caller:
        caller = super().__call__(request)
        if caller.user is None:
            message = f"Send one of your tokens; create one at {token_page_url()}"
            raise ApiError(Refusal.LOGIN_REQUIRED, message)
        return caller


class GatedToken(BearerToken):
    """Requires a token for all gated checkpoints: to apply, accept licences and end grants.

    Tokens for open or named checkpoints have a narrower purpose. A leaked one must not allow its
    finder to end the owner's access, to accept a licence in their name, or to learn from their rows
    of the audit trail which hidden checkpoints exist.
    """

    openapi_description = "A token of scope `read-gated` that is not limited to checkpoints."

    def __call__(self, request: HttpRequest) -> Caller:
        caller = super().__call__(request)
        token = caller.token
        if token is None or Scope.READ_GATED not in token.scopes or token.repositories:
            raise ApiError(
                Refusal.TOKEN_SCOPE,
                "This needs a token of scope read-gated that is not limited to checkpoints; create"
                f" one at {token_page_url()}",
            )
        return caller


def token_page_url() -> str:
    return absolute_url(reverse("accounts:token-list"))


def current_user(request: ApiRequest) -> User:
    """The token's owner; for operations behind BearerToken or GatedToken."""
    return cast(User, request.auth.user)
