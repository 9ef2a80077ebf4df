"""Messages wait in the outbox, leave once, and show what became of them."""

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
    """What a real SMTP server of this session has taken in."""

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


def _message(key: str = "1", secret: str = "") -> OutgoingMail:
    mail = outbox.enqueue(
        "test", "ada@example.org", key, "Hello", f"Go to {secret or 'there'}\n", secret=secret
    )
    assert mail is not None
    return mail


def test_the_same_cause_mails_once() -> None:
    _message("cause")
    assert outbox.enqueue("test", "ada@example.org", "cause", "Hello", "again") is None
    assert OutgoingMail.objects.count() == 1


def test_a_message_leaves_once_however_often_its_task_runs(inbox: Inbox) -> None:
    mail = _message()
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
    mail = _message()
    OutgoingMail.objects.update(to=to, subject=subject)
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (OutgoingMail.State.FAILED, 1)
    assert mail.last_error
    assert not inbox.received


@pytest.mark.one_database
def test_tries_that_end_without_a_word_end_too(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """A kill leaves nothing to catch."""

    mail = _message()

    def dies(given: OutgoingMail) -> None:
        raise Killed

    # A kill at this place, eight times over, without a process each.
    monkeypatch.setattr(outbox, "_send", dies)
    for attempt in range(outbox.ATTEMPTS_MOST):
        with (
            pytest.raises(Killed),
            time_machine.travel(timezone.now() + attempt * 2 * outbox.CLAIM),
        ):
            outbox.deliver(mail.pk)
    with time_machine.travel(timezone.now() + 20 * outbox.CLAIM):
        outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.last_error) == (OutgoingMail.State.FAILED, "no try came to an end")


@pytest.mark.django_db(transaction=True)
def test_a_message_that_left_while_the_database_went_away_is_remembered_and_leaves_once(
    inbox: Inbox,
) -> None:
    mail = _message()
    answers: list[bool] = []

    def away_once_it_has_left(execute: Callable[..., Any], *arguments: Any) -> Any:
        if inbox.received and len(answers) < 2:
            answers.append(False)
            raise OperationalError("database or disk is full")
        return execute(*arguments)

    with connection.execute_wrapper(away_once_it_has_left):
        outbox.deliver(mail.pk)
    with time_machine.travel(timezone.now() + 2 * outbox.CLAIM):
        outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (len(answers), mail.state) == (2, OutgoingMail.State.SENT)
    assert len(inbox.received) == 1


def test_a_live_link_is_blotted_out_of_the_stored_text_once_it_has_left(inbox: Inbox) -> None:
    mail = _message(secret="https://weights.example.org/d/token/")
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert "token" not in mail.text
    assert b"/d/token/" in (inbox.received[0].original_content or b"")


def test_without_a_mail_server_messages_are_kept_to_be_read() -> None:
    mail = _message()
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.text) == (OutgoingMail.State.KEPT, "Go to there\n")


def test_a_server_that_refuses_is_tried_again_later_and_then_shown_as_failed(
    settings: pytest.FixtureRequest,
) -> None:
    settings.MAIL_LEAVES = True  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()  # type: ignore[attr-defined]
    mail = _message()
    moment = timezone.now()
    for attempt in range(1, outbox.ATTEMPTS_MOST + 1):
        with time_machine.travel(moment, tick=False):
            outbox.deliver(mail.pk)
            outbox.deliver(mail.pk)  # not due yet: nothing happens
        mail.refresh_from_db()
        assert mail.attempts == attempt
        moment = mail.next_attempt_at + timedelta(seconds=1)
    assert mail.state == OutgoingMail.State.FAILED
    assert "refused" in mail.last_error.lower()


def test_a_rolled_back_cause_leaves_no_message() -> None:
    with transaction.atomic():
        _message()
        transaction.set_rollback(True)
    assert not OutgoingMail.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_with_the_broker_gone_a_message_waits_for_the_sweep(
    applicant: User, gated_tier: Tier, tmp_path: Path
) -> None:
    cut_off = live.environment("http://127.0.0.1:1", f"file://{tmp_path}") | {
        "BROKER_URL": "redis://127.0.0.1:1/0"
    }
    done = live.Portal("", cut_off, tmp_path).manage(
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
