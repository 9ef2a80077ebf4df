"""The head of the trail is signed daily, over a tree that only grows, and copied elsewhere."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.merkle_log import copies, sealer, signed_heads, signed_notes
from accounts.audit.merkle_log.signed_heads import HeadRefused
from accounts.audit.merkle_log.signed_notes import Verifier
from accounts.audit.models import AuditEvent, HeadCopy, SignedHead
from accounts.background.models import Heartbeat
from accounts.mail.models import OutgoingMail
from accounts.tasks import sign_head
from tests.accounts.audit.merkle_log import keys, rows
from tests.support import crashes, hurry
from tests.support.database import trail

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def new_key(tmp_path: Path, settings: Settings) -> Callable[[], None]:
    """Put another key into the place of the one that signs."""

    def make() -> None:
        settings.AUDIT_KEY_FILE = keys.write(tmp_path)

    return make


@pytest.fixture(autouse=True)
def _key(new_key: Callable[[], None]) -> None:
    new_key()


def sealed(count: int = 3) -> None:
    for number in range(count):
        rows.event(number)
    sealer.seal()


def fault(*arguments: str) -> str:
    with pytest.raises(CommandError) as raised:
        call_command("verify_audit", *arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# -- signing ----------------------------------------------------------------------------


@pytest.mark.requirement("AU-5")
def test_the_head_says_what_is_sealed_and_is_signed(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    sealed(3)
    head = signed_heads.sign()
    note = signed_notes.parse(head.note)
    note.verify(Verifier.parse(head.vkey))
    assert (note.origin, note.size, note.root) == (
        *("weights.example.org/transparency/audit", 3),
        bytes(head.root),
    )
    event = AuditEvent.objects.get(action="audit.head_signed")
    assert event.details == {"size": 3, "root": note.root.hex(), "key": head.vkey}
    sealer.seal()
    call_command("verify_audit")


def test_the_same_tree_is_signed_once() -> None:
    sealed()
    assert signed_heads.sign() == signed_heads.sign()
    assert AuditEvent.objects.filter(action="audit.head_signed").count() == 1


@pytest.mark.requirement("AU-5")
def test_a_head_is_due_each_day_also_where_nothing_else_is_logged() -> None:
    with time_machine.travel("2026-11-26 09:00Z", tick=False) as clock:
        assert signed_heads.sweep(timezone.now()) is None, "nothing is sealed"
        sealed()
        signed = []
        for hours in (0, 1, 23, 1, 23, 12):
            clock.shift(timedelta(hours=hours))
            signed.append(signed_heads.sweep(timezone.now()) is not None)
            sealer.seal()
    assert signed == [True, False, True, False, True, False]
    assert list(SignedHead.objects.order_by("size").values_list("size", flat=True)) == [3, 4, 5]


@pytest.mark.requirement("AU-6")
def test_rows_wait_an_hour_for_a_head_and_the_daily_one_alone_leaves_the_portal(
    settings: Settings,
) -> None:
    settings.AUDIT_HEAD_RECIPIENTS = ["keeper@example.org"]
    with time_machine.travel("2026-11-26 09:00Z", tick=False) as clock:
        sealed()
        signed = []
        for minutes in (0, 30, 30, 60, 22 * 60):
            clock.shift(timedelta(minutes=minutes))
            head = signed_heads.sweep(timezone.now())
            signed.append(head and (head.size, head.is_daily))
            if minutes != 30 or head:
                sealer.seal()  # its own event is no reason to sign another
            if minutes == 0:
                sealed(1)
    assert signed == [(3, True), None, (5, False), None, (6, True)]
    assert OutgoingMail.objects.filter(kind="audit_head").count() == 2


def test_a_process_without_the_key_signs_nothing(settings: Settings) -> None:
    settings.AUDIT_KEY_FILE = ""
    sealed()
    assert signed_heads.sweep(timezone.now()) is None
    with pytest.raises(CommandError, match="AUDIT_KEY_FILE is not set"):
        call_command("sign_audit_head")


def test_a_new_key_signs_at_once_and_the_old_one_never_again(
    new_key: Callable[[], None], settings: Settings
) -> None:
    sealed()
    old_file = settings.AUDIT_KEY_FILE
    first = signed_heads.sign()
    new_key()
    second = signed_heads.sweep(timezone.now())
    assert second is not None
    assert second.vkey != first.vkey
    settings.AUDIT_KEY_FILE = old_file
    with pytest.raises(HeadRefused, match="has replaced"):
        signed_heads.sign()
    sealer.seal()
    call_command("verify_audit")


def test_a_tree_that_was_changed_is_not_signed() -> None:
    """Somebody who rebuilds the whole trail with its seals still contradicts the last head."""
    sealed(40)
    signed_heads.sign()
    with trail.unguarded(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_auditevent SET action = 'evil' WHERE action = 'thing.done'")
        for table in ("sealedrow", "sealednode", "sealbatch"):
            cursor.execute(f"DELETE FROM accounts_{table}")
    sealer.seal()
    with pytest.raises(HeadRefused, match="does not extend the head over 40 rows"):
        signed_heads.sign()
    sign_head()
    assert SignedHead.objects.count() == 1
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        sign_head()
    assert "does not extend" in Heartbeat.objects.get(name="heads").failing["head"]["error"]


def test_a_tree_that_was_cut_is_not_signed() -> None:
    sealed(3)
    sealed(3)
    signed_heads.sign()
    with trail.unguarded(), connection.cursor() as cursor:
        cursor.execute('DELETE FROM accounts_sealedrow WHERE "index" >= 3')
        cursor.execute("DELETE FROM accounts_sealbatch WHERE number > 1")
    with pytest.raises(HeadRefused, match="rows are missing"):
        signed_heads.sign()


# -- comparing --------------------------------------------------------------------------


def test_an_altered_head_is_named() -> None:
    sealed()
    head = signed_heads.sign()
    for column, value in (("note", head.note.replace("\n3\n", "\n2\n")), ("root", b"\0" * 32)):
        with trail.unguarded(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE accounts_signedhead SET {column} = %s", [value])
        assert fault().startswith("the head signed over 3 rows was altered")


def test_a_copy_of_a_head_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sealed()
    file = tmp_path / "head.txt"
    head = signed_heads.sign()
    file.write_text(head.note)
    for arguments in ([], ["--key", head.vkey]):
        call_command("verify_audit", "--head", str(file), *arguments)
    printed = capsys.readouterr().out
    assert "signed heads: 2\n" in printed
    assert printed.endswith("verdict: intact, and it agrees with the heads of the file\n")


def test_the_last_line_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_audit")
    assert capsys.readouterr().out.splitlines()[-1].startswith("verdict: nothing is sealed yet")
    sealed()
    call_command("verify_audit")
    assert capsys.readouterr().out.splitlines()[-1].startswith("verdict: intact; ")


def test_a_copy_shows_a_trail_that_was_made_anew(tmp_path: Path) -> None:
    sealed(20)
    head = signed_heads.sign()
    file = tmp_path / "head.txt"
    file.write_text(head.note)
    with trail.unguarded(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_auditevent SET action = 'evil' WHERE action = 'thing.done'")
        for table in ("sealedrow", "sealednode", "sealbatch", "signedhead"):
            cursor.execute(f"DELETE FROM accounts_{table}")
    sealer.seal()
    call_command("verify_audit")
    said = fault("--head", str(file), "--key", head.vkey)
    assert said == "the copy of a head over 20 rows has a different root from the rows"
    assert "pass the key that you trust with --key" in fault("--head", str(file))


def test_a_copy_shows_a_tail_that_was_cut_off_whole(tmp_path: Path) -> None:
    sealed(3)
    last = AuditEvent.objects.order_by("pk").values_list("pk", flat=True).last()
    sealed(3)
    head = signed_heads.sign()
    file = tmp_path / "head.txt"
    file.write_text(head.note)
    with trail.unguarded(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_signedhead")
        cursor.execute('DELETE FROM accounts_sealedrow WHERE "index" >= 3')
        cursor.execute("DELETE FROM accounts_sealbatch WHERE number > 1")
        cursor.execute("DELETE FROM accounts_auditevent WHERE id > %s", [last])
    said = fault("--head", str(file), "--key", head.vkey)
    assert said == "rows are missing at the end: 3 are sealed, the copy of a head says 6"


def test_a_forged_copy_is_refused(tmp_path: Path) -> None:
    sealed()
    head = signed_heads.sign()
    file = tmp_path / "head.txt"
    for text, why in {
        head.note.replace("\n3\n", "\n4\n"): "signature",
        "nothing": "contains no signed head",
    }.items():
        file.write_text(text)
        assert why in fault("--head", str(file))
    assert "No such file" in fault("--head", str(tmp_path / "none"))
    file.write_text(head.note)
    assert "no Ed25519 key" in fault("--head", str(file), "--key", "mine")


# -- the second place -------------------------------------------------------------------


def test_each_recipient_is_mailed_the_whole_head_once(settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_HEAD_RECIPIENTS = ["a@example.org", "b@example.org"]
    sealed()
    head = signed_heads.sign()
    copies.enqueue(head)
    mails = list(OutgoingMail.objects.filter(kind="audit_head").order_by("to"))
    assert [mail.to for mail in mails] == ["a@example.org", "b@example.org"]
    for mail in mails:
        assert signed_notes.parse(mail.text).text == signed_notes.parse(head.note).text
        assert head.vkey in mail.text
    saved = tmp_path / "mail.eml"
    saved.write_text(mails[0].text)
    call_command("verify_audit", "--head", str(saved))


def test_heads_are_appended_to_a_file_once_each(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "heads.txt"
    settings.AUDIT_HEAD_COPY = f"file://{file}"
    for _ in range(3):
        sealed()
        signed_heads.sign()
        sign_head()
        sign_head()
    assert [one.size for one in signed_notes.find(file.read_text())] == [3, 7, 11]
    sealer.seal()
    call_command("verify_audit", "--head", str(file))


def test_a_place_that_fails_is_tried_again_and_shown(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "not-mounted"
    settings.AUDIT_HEAD_COPY = f"file://{folder}/heads.txt"
    with time_machine.travel("2026-11-26 09:00Z", tick=False) as clock:
        sealed()
        signed_heads.sign()
        tries = []
        for _ in range(9):
            assert copies.sweep(timezone.now()) == 0
            tries.append(HeadCopy.objects.get().attempts)
            clock.shift(timedelta(minutes=2 ** tries[-1]))
        assert tries == [1, 2, 3, 4, 5, 6, 7, 8, 8]
        assert "No such file" in HeadCopy.objects.get().last_error
        with pytest.raises(CommandError, match="has no copy of it"):
            call_command("sign_audit_head")
        folder.mkdir()
        call_command("sign_audit_head")
    assert not HeadCopy.objects.filter(done_at=None).exists()
    assert re.findall(r"^time ", (folder / "heads.txt").read_text(), re.MULTILINE)


def test_a_writer_that_is_killed_leaves_the_head_once_in_the_file(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "heads.txt"
    settings.AUDIT_HEAD_COPY = f"file://{file}"
    sealed()
    head = signed_heads.sign()
    copies.sweep(timezone.now())
    HeadCopy.objects.update(done_at=None, attempts=0, next_attempt_at=timezone.now())
    copies.sweep(timezone.now())
    assert file.read_text() == head.note


def test_a_signer_that_is_killed_leaves_head_event_and_copies_or_none(
    settings: Settings, tmp_path: Path
) -> None:
    settings.AUDIT_HEAD_COPY = f"file://{tmp_path}/heads.txt"
    settings.AUDIT_HEAD_RECIPIENTS = ["a@example.org"]
    sealed()
    for _ in crashes.each_crash(signed_heads.sign):
        assert SignedHead.objects.count() == 0
        assert HeadCopy.objects.count() == 0
        assert OutgoingMail.objects.count() == 0
        assert not AuditEvent.objects.filter(action="audit.head_signed").exists()
    assert SignedHead.objects.count() == HeadCopy.objects.count() == 1
    assert OutgoingMail.objects.count() == 1


def test_two_signers_at_once_sign_one_head_and_write_it_once(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "heads.txt"
    settings.AUDIT_HEAD_COPY = f"file://{file}"
    sealed()
    assert hurry.at_once(*[signed_heads.sign] * 3) == ["done"] * 3
    assert hurry.at_once(*[lambda: copies.sweep(timezone.now())] * 3) == ["done"] * 3
    assert SignedHead.objects.count() == 1
    assert file.read_text() == SignedHead.objects.get().note
