"""The headers of an install with https: secure cookies and HSTS."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

#: Queries a portal in a separate process, since the settings determine the names of cookies.
ASK = """
import json
from django.conf import settings
from django.contrib.messages import success
from django.http import HttpResponse
from django.test import Client, RequestFactory
from portal.middleware.message_storage import MessageStorage
from portal.middleware.signed_sessions import SignedSessionMiddleware

def remember(request):
    request.session["a"] = "b"
    response = HttpResponse()
    request._messages = MessageStorage(request)
    success(request, "You have signed out.")
    request._messages.update(response)
    return response

settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
client = Client(HTTP_HOST="weights.example.org")
near = client.get("/accounts/login/", HTTP_X_FORWARDED_PROTO="https")
far = client.get("/accounts/login/")
kept = SignedSessionMiddleware(remember)(RequestFactory().get("/"))
print(json.dumps({
    "status": near.status_code,
    "secure": near.headers.get("Strict-Transport-Security"),
    "plain": far.headers.get("Strict-Transport-Security"),
    "cookies": {
        name: dict(morsel) for one in (near, kept) for name, morsel in one.cookies.items()
    },
}))
"""


def told(folder: Path, **environment: str) -> Any:
    """The response of the portal at `https://weights.example.org`."""
    facts = {
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "PUBLIC_URL": "https://weights.example.org",
        "PYTHONWARNINGS": "",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings.test"} | facts,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.requirement("WB-2", "WB-3", "HT-4", "OP-13")
def test_cookies_are_this_hosts_alone_and_browsers_stay_on_https(tmp_path: Path) -> None:
    answer = told(tmp_path, TRUSTED_PROXIES="1")
    assert answer["status"] == 200
    assert answer["secure"] == "max-age=3600", "an hour, no subdomain and no preload unasked"
    assert answer["plain"] is None
    names = {"__Host-sessionid", "__Host-csrftoken", "__Host-messages"}
    assert set(answer["cookies"]) == names
    for name, cookie in answer["cookies"].items():
        assert (cookie["secure"], cookie["samesite"]) == (True, "Lax"), name
        assert (cookie["path"], cookie["domain"]) == ("/", ""), name
    assert answer["cookies"]["__Host-sessionid"]["httponly"] is True


@pytest.mark.requirement("HT-4")
def test_without_a_proxy_no_header_makes_a_request_secure(tmp_path: Path) -> None:
    assert told(tmp_path, TRUSTED_PROXIES="0")["secure"] is None


@pytest.mark.requirement("OP-13")
def test_an_operator_raises_how_long_browsers_stay_on_https(tmp_path: Path) -> None:
    asked = {"HSTS_SECONDS": "31536000", "HSTS_SUBDOMAINS": "on", "HSTS_PRELOAD": "on"}
    answer = told(tmp_path, TRUSTED_PROXIES="1", **asked)
    assert answer["secure"] == "max-age=31536000; includeSubDomains; preload"
