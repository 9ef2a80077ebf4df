"""The main use case: publish, verify, sign up, apply, approve, mailed link, wget.

Everything is real: a web server, a Celery worker, a store, forms posted as by a browser, the
published script's use of one link, and wget. Once on local files, once on S3.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.applications.models import Application
from accounts.applications.questions import STEPS
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from tests.support import factories
from tests.support.http.visitor import Visitor
from tests.support.servers.live import Portal
from tests.support.servers.services import wait_until
from weights.ledger.models import Download

SHARDS = {
    "README.md": b"# Three shards\n",
    "checkpoint_last-model_part-0-shard0.pt": bytes(range(256)) * 300,
    "checkpoint_last-model_part-0-shard1.pt": b"\x01" * 70_000,
}
PASSWORD = "a quiet password 7"
_GIVEN = [Download.Outcome.SERVED, Download.Outcome.REDIRECTED]


def _wget(address: str, into: Path, *options: str) -> tuple[int, str]:
    """Run wget; returns its exit code and stderr."""
    done = subprocess.run(
        ["wget", "--tries=1", "--no-verbose", *options, "-O", str(into), address],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def _mail(kind: str, to: str) -> str:
    """Wait for a mail in the outbox; returns its text."""
    mails = OutgoingMail.objects.filter(kind=kind, to=to)
    wait_until(lambda: mails.exists(), f"the mail {kind}")
    return mails.latest("pk").full_text


def _publish(portal: Portal, folder: Path) -> str:
    for name, content in SHARDS.items():
        (folder / name).write_bytes(content)
    done = portal.manage("publish", str(folder), "acme/three", "--tier", "opt-175b", "--wait")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _sign_up(portal: Portal) -> Visitor:
    visitor = Visitor(portal.url)
    visitor.visit("/accounts/signup/")
    facts = {"username": "grace", "email": "grace@uni.example", "password1": PASSWORD}
    visitor.submit("Sign up", **facts, password2=PASSWORD)
    confirm = re.search(r"http://\S+", _mail("email_confirmation_signup", "grace@uni.example"))
    assert confirm is not None
    visitor.visit(confirm[0])
    visitor.submit("Confirm")
    visitor.visit("/accounts/login/")
    visitor.submit("Sign in", login="grace", password=PASSWORD)
    return visitor


def _apply(visitor: Visitor) -> Application:
    visitor.visit("/apply/opt-175b/")
    answers = {
        key: "on" if value is True else str(value) for key, value in factories.ANSWERS.items()
    } | {"work_email": "grace@uni.example"}
    visitor.submit("Start the application", country=answers["country"])
    for _, keys in STEPS.values():
        visitor.submit("Save and continue", **{key: answers[key] for key in keys if key in answers})
    visitor.submit("Submit application")
    application = Application.objects.get()
    assert application.status == "submitted", visitor.page.text
    assert application.reference in visitor.visit("/applications/")
    return application


def _approve(portal: Portal, application: Application) -> None:
    desk = Visitor(portal.url)
    desk.visit("/accounts/login/?next=/admin/")
    desk.submit("Sign in", login="rita", password=factories.PASSWORD)
    desk.visit(f"/admin/accounts/application/{application.pk}/change/")
    desk.submit("Approve")
    desk.submit("Approve anyway")  # the checklist was not answered
    application.refresh_from_db()
    assert application.status == "approved", desk.page.text


@pytest.fixture(params=["files", pytest.param("s3", marks=pytest.mark.one_database)])
def portal(request: pytest.FixtureRequest, start_portal: Callable[..., Portal]) -> Portal:
    """A portal with a worker, on local files and on a real S3 server."""
    request.getfixturevalue("store" if request.param == "files" else "s3_store")
    return start_portal(worker=True)


@pytest.mark.needs("wget")
@pytest.mark.usefixtures("gated_tier")
def test_publishing_applying_downloading_and_revoking_end_to_end(
    portal: Portal, tmp_path: Path
) -> None:
    factories.staff("rita", Role.REVIEWER)
    source, fetched = tmp_path / "source", tmp_path / "fetched"
    source.mkdir()
    fetched.mkdir()

    sha = _publish(portal, source)
    assert re.fullmatch("[0-9a-f]{40}", sha)

    visitor = _sign_up(portal)
    resolve = f"{portal.url}/acme/three/resolve/main/README.md"
    assert visitor.session.get(resolve, timeout=60).headers["X-Refusal-Code"] == "no_application"
    application = _apply(visitor)
    assert visitor.session.get(resolve, timeout=60).headers["X-Refusal-Code"] == "in_review"
    _approve(portal, application)

    mailed = re.search(r"'(http://\S+stubbed\.pt)'", _mail("checkpoint_link", "grace@uni.example"))
    assert mailed is not None
    for name, content in SHARDS.items():
        code, said = _wget(mailed[1].replace("stubbed.pt", name, 1), fetched / name)
        assert code == 0, said
        assert (fetched / name).read_bytes() == content
    assert Download.objects.filter(outcome__in=_GIVEN, credential_kind="link").count() == 3

    done = portal.manage("revoke", "grace", "opt-175b", "--reason", "the journey ends")
    assert done.returncode == 0, done.stderr
    code, said = _wget(mailed[1].replace("stubbed.pt", "README.md"), fetched / "after")
    assert code == 8
    assert "403" in said
    assert visitor.session.get(resolve, timeout=60).headers["X-Refusal-Code"] == "revoked"

    told = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    story = ["revision.published", "application.submit", "application.approve", "grant.given"]
    assert [action for action in told if action in story] == story
    assert {"checkpoint_link.issued", "grant.revoked", "licence.accepted"} <= set(told)
