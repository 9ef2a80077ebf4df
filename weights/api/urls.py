"""Our addresses below /api/; they stand before the Hub's, which take all of /api/."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from weights.api.api import api
from weights.api.problems import Refused, problem
from weights.api.routers.credentials import revoke_leaked
from weights.api.routers.transparency import table_csv


@csrf_exempt
def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    return problem(request, Refused("not_found", "There is no such address in this API."))


urlpatterns = [
    path("api/v1/", api.urls),
    path("api/credentials/revoke", revoke_leaked, name="credential-revoke"),
    path("api/v1/transparency/<slug:table>.csv", table_csv, name="transparency-csv"),
    re_path(r"^api/v1(?:/(?P<rest>[\s\S]*))?$", unknown_address, name="unknown-api-address"),
]
