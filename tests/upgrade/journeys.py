"""What people do on the pages of either release: apply, decide, read."""

import itertools
import re

import requests

from accounts.applications.questions import STEPS
from tests.support import factories
from tests.support.http.visitor import Visitor

#: Pages that show rows of either release to anybody, to applicants and to staff.
PAGES = ("/", "/models", "/acme/free", "/acme/gated", "/tiers/", "/transparency/", "/access/")
LISTS = ("/api/v1/checkpoints", "/api/v1/tiers", "/api/models/acme/gated")
DESK = ("/admin/", "/admin/accounts/application/", "/admin/accounts/auditevent/")


#: Each visitor has an address of their own, since sign-ins are limited by address.
_ADDRESSES = itertools.count(1)


def sign_in(url: str, name: str, then: str = "/access/") -> Visitor:
    visitor = Visitor(url)
    visitor.session.headers["X-Forwarded-For"] = f"198.51.100.{next(_ADDRESSES)}"
    visitor.visit(f"/accounts/login/?next={then}")
    visitor.submit("Sign in", login=name, password=factories.PASSWORD)
    return visitor


def apply(url: str, name: str) -> None:
    """Fill in and submit an application for the gated tier."""
    visitor = sign_in(url, name)
    visitor.visit("/apply/opt-175b/")
    answers = {
        key: "on" if value is True else str(value) for key, value in factories.ANSWERS.items()
    } | {"work_email": f"{name}@example.org"}
    visitor.submit("Start the application", country=answers["country"])
    for _, keys in STEPS.values():
        visitor.submit("Save and continue", **{key: answers[key] for key in keys if key in answers})
    visitor.submit("Submit application")
    assert "Submitted" in visitor.visit("/applications/")


def approve(url: str, *confirmation: str) -> None:
    """Approve the oldest waiting application as a reviewer."""
    desk = sign_in(url, "rita", "/admin/")
    desk.visit("/admin/accounts/application/next/")
    desk.submit("Approve")
    for button in confirmation:
        desk.submit(button)


def fetch_as(url: str, name: str, path: str) -> bytes:
    """Download a file with the session of a person who was approved."""
    return sign_in(url, name).session.get(f"{url}{path}", timeout=60).content


def file_link(url: str, token: str, path: str) -> str:
    """A signed link of one file, from the API; returns its path and query."""
    answer = requests.post(
        f"{url}/api/v1/file-links",
        json={"repo": "acme/gated", "path": path},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    found = re.match(r"https?://[^/]+(/.+)", answer.json()["url"])
    assert found is not None
    return found[1]


def read_everything(url: str) -> None:
    """Open the pages and lists. AssertionError for any that fails."""
    visitor = sign_in(url, "holder")
    for path in (*PAGES, *LISTS):
        visitor.visit(path)
    for name in ("rita", "aud"):
        desk = sign_in(url, name, "/admin/")
        for path in DESK if name == "aud" else DESK[:2]:
            desk.visit(path)
