"""The outbox: messages are queued, sent once, retried, and show their state."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from celery import current_app
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.tasks import sweep
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support.servers import live
from tests.support.servers.services import free_port

pytestmark = pytest.mark.django_db


class Inbox:
    """The messages that a local SMTP server accepted."""

    def __init__(self) -> None:
        self.received: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.received.append(envelope)
        return "250 OK"


@pytest.fixture
def inbox(settings: pytest.FixtureRequest) -> Iterator[Inbox]:
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    settings.MAIL_LEAVES = True  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port  # type: ignore[attr-defined]
    yield inbox
    server.stop()


def _queued(key: str = "1", secret: str = "") -> OutgoingMail:
    message = outbox.Message("test", "ada@example.org", "Hello", f"Go to {secret or 'there'}\n")
    mail = outbox.enqueue(message, key=key, secret=secret)
    assert mail is not None
    return mail


def test_a_key_sends_one_message() -> None:
    _queued("cause")
    again = outbox.Message("test", "ada@example.org", "Hello", "again")
    assert outbox.enqueue(again, key="cause") is None
    assert OutgoingMail.objects.count() == 1


def test_a_message_is_sent_once_however_often_its_task_runs(inbox: Inbox) -> None:
    mail = _queued()
    outbox.deliver(mail.pk)
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert mail.state == OutgoingMail.State.SENT
    assert [envelope.rcpt_tos for envelope in inbox.received] == [["ada@example.org"]]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("to", "subject"), [(f"x@{'é' * 60}.de", "Hello"), ("ada@example.org", "two\nlines")]
)
def test_an_impossible_mail_fails_at_once_with_the_reason(
    inbox: Inbox, to: str, subject: str
) -> None:
    mail = _queued()
    OutgoingMail.objects.update(to=to, subject=subject)
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (OutgoingMail.State.FAILED, 1)
    assert mail.last_error
    assert not inbox.received


@pytest.mark.one_database
def test_attempts_of_killed_workers_are_limited(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Not an Exception: nothing catches a kill."""

    mail = _queued()

    def die(mail: OutgoingMail) -> None:
        raise Killed

    # Simulates eight killed workers without starting processes.
    monkeypatch.setattr(outbox, "_send", die)
    for attempt in range(outbox.MAX_ATTEMPTS):
        with (
            pytest.raises(Killed),
            time_machine.travel(timezone.now() + attempt * 2 * outbox.CLAIM),
        ):
            outbox.deliver(mail.pk)
    with time_machine.travel(timezone.now() + 20 * outbox.CLAIM):
        outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.last_error) == (OutgoingMail.State.FAILED, "no attempt was completed")


@pytest.mark.django_db(transaction=True)
def test_a_message_sent_while_the_database_is_unavailable_is_saved_and_sent_once(
    inbox: Inbox,
) -> None:
    mail = _queued()
    answers: list[bool] = []

    def unavailable_once_sent(execute: Callable[..., Any], *arguments: Any) -> Any:
        if inbox.received and len(answers) < 2:
            answers.append(False)
            raise OperationalError("database or disk is full")
        return execute(*arguments)

    with connection.execute_wrapper(unavailable_once_sent):
        outbox.deliver(mail.pk)
    with time_machine.travel(timezone.now() + 2 * outbox.CLAIM):
        outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (len(answers), mail.state) == (2, OutgoingMail.State.SENT)
    assert len(inbox.received) == 1


def test_a_live_link_is_redacted_in_the_stored_text_once_sent(inbox: Inbox) -> None:
    mail = _queued(secret="https://weights.example.org/d/token/")
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert "token" not in mail.text
    assert b"/d/token/" in (inbox.received[0].original_content or b"")


def test_without_a_mail_server_messages_stay_readable() -> None:
    mail = _queued()
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.text) == (OutgoingMail.State.KEPT, "Go to there\n")


def test_a_refusing_server_is_retried_with_backoff_until_the_message_fails(
    settings: pytest.FixtureRequest,
) -> None:
    settings.MAIL_LEAVES = True  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()  # type: ignore[attr-defined]
    mail = _queued()
    moment = timezone.now()
    for attempt in range(1, outbox.MAX_ATTEMPTS + 1):
        with time_machine.travel(moment, tick=False):
            outbox.deliver(mail.pk)
            outbox.deliver(mail.pk)  # not due yet
        mail.refresh_from_db()
        assert mail.attempts == attempt
        moment = mail.next_attempt_at + timedelta(seconds=1)
    assert mail.state == OutgoingMail.State.FAILED
    assert "refused" in mail.last_error.lower()


def test_a_rolled_back_cause_leaves_no_queued() -> None:
    with transaction.atomic():
        _queued()
        transaction.set_rollback(True)
    assert not OutgoingMail.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_the_sweep_queues_the_message(
    applicant: User, gated_tier: Tier, tmp_path: Path
) -> None:
    without_broker = live.environment("http://127.0.0.1:1", f"file://{tmp_path}") | {
        "BROKER_URL": "redis://127.0.0.1:1/0"
    }
    done = live.Portal("", without_broker, tmp_path).manage(
        "grant", "applicant", "opt-175b", "--reason", "the broker is down"
    )
    assert done.returncode == 0, done.stderr
    mail = OutgoingMail.objects.get()
    assert mail.state == OutgoingMail.State.QUEUED
    with current_app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
        queue.clear()  # what other tests left to no worker
        sweep()
        message = queue.get(timeout=5)
        queue.clear()
    assert message.headers["task"] == "accounts.deliver_mail"
