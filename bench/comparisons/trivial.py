"""A minimal Django application: one view, no middleware, no database."""

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import re_path


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"", headers={"X-Path": request.path_info[:100]})


urlpatterns = [re_path(r"^", answer)]

settings.configure(
    SECRET_KEY="benchmark",  # noqa: S106 - signs nothing
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[],
    USE_TZ=True,
)
django.setup()
application = get_wsgi_application()
