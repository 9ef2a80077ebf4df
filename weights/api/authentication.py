"""Who calls the API: a bearer token or nobody. Cookies are never looked at."""

from typing import cast

from django.conf import settings
from django.http import HttpRequest
from ninja.security.http import HttpAuthBase

from accounts.api_tokens.models import Scope
from accounts.users.models import User
from weights import gate
from weights.api.problems import Refused
from weights.gate import Decision
from weights.gate.caller import Caller, Refusal, token_caller


class ApiRequest(HttpRequest):
    """A request that an operation answers; `auth` is who sent it."""

    auth: Caller


class OptionalToken(HttpAuthBase):
    """A token where one is sent; one that is not valid opens nothing, not even what is public."""

    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> Caller:
        caller = token_caller(request.headers.get("Authorization"))
        if caller.problem is not None:
            raise Refused.by(Decision(code=caller.problem, message=gate.INVALID_CREDENTIALS))
        if caller.token is not None and Scope.READ not in caller.token.scopes:
            raise Refused(Refusal.TOKEN_SCOPE, "This token lacks the scope read.")
        return caller


class BearerToken(OptionalToken):
    """A valid token, for what is one's own."""

    openapi_description = "A token made at /settings/tokens/, as `Authorization: Bearer wb_…`."

    def __call__(self, request: HttpRequest) -> Caller:
        caller = super().__call__(request)
        if caller.user is None:
            where = f"{settings.PUBLIC_URL}/settings/tokens/"
            raise Refused(Refusal.LOGIN_REQUIRED, f"Send a token of yours; make one at {where}")
        return caller


class GatedToken(BearerToken):
    """A valid token that may act in what concerns gated tiers: apply, accept, give back.

    One that reads open checkpoints, or named ones alone, was not made for that: whoever finds
    it must not be able to end its owner's access, or bind them to a licence.
    """

    openapi_description = "A token of scope `read-gated` that is not limited to checkpoints."

    def __call__(self, request: HttpRequest) -> Caller:
        caller = super().__call__(request)
        token = caller.token
        if token is None or Scope.READ_GATED not in token.scopes or token.repositories:
            raise Refused(
                Refusal.TOKEN_SCOPE,
                "This takes a token of scope read-gated that is not limited to checkpoints; make"
                f" one at {settings.PUBLIC_URL}/settings/tokens/",
            )
        return caller


def person(request: ApiRequest) -> User:
    """Whose token was sent, behind BearerToken."""
    return cast(User, request.auth.user)
