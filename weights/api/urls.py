"""The API's URLs; resolved before the Hub's, which match everything else below /api/."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from accounts.errors import AccountsCode
from weights.api.api import api
from weights.api.problems import ApiError, problem_response
from weights.api.routers.credentials import revoke_leaked
from weights.api.routers.transparency import table_csv


@csrf_exempt
def unknown_url(request: HttpRequest, rest: str = "") -> HttpResponse:
    return problem_response(request, ApiError(AccountsCode.NOT_FOUND, "This API has no such URL."))


urlpatterns = [
    path("api/v1/", api.urls),
    path("api/credentials/revoke", revoke_leaked, name="credential-revoke"),
    path("api/v1/transparency/<slug:table>.csv", table_csv, name="transparency-csv"),
    re_path(r"^api/v1(?:/(?P<rest>[\s\S]*))?$", unknown_url, name="unknown-api-address"),
]
