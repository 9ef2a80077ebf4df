"""A compromised key of the trail: its later signatures prove nothing."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.merkle_log import sealer, signed_heads
from accounts.audit.merkle_log.signed_heads import HeadRefused
from accounts.audit.models import AuditEvent, CompromisedAuditKey, SignedHead
from accounts.mail.models import OutgoingMail
from portal.health import findings
from tests.accounts.audit.merkle_log import keys, rows

pytestmark = pytest.mark.django_db(transaction=True)

REASON = ("--reason", "The file lay on a shared host")


@pytest.fixture
def new_key(tmp_path: Path, settings: Settings) -> Callable[[], None]:
    def make() -> None:
        settings.AUDIT_KEY_FILE = keys.write(tmp_path)

    return make


def head_at(time: str) -> SignedHead:
    with time_machine.travel(time, tick=False):
        rows.event(1)
        sealer.seal()
        return signed_heads.sign()


@pytest.fixture
def two(new_key: Callable[[], None]) -> tuple[SignedHead, SignedHead]:
    """Heads of one key, before and after somebody else had it."""
    new_key()
    return head_at("2026-11-01 09:00Z"), head_at("2026-11-05 09:00Z")


def key_id(head: SignedHead) -> str:
    return head.vkey.split("+")[1]


def mark(head: SignedHead, *arguments: str) -> str:
    out = StringIO()
    call_command("retire_key", key_id(head), "--compromised", *REASON, *arguments, stdout=out)
    return out.getvalue()


def verified(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("verify_audit", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_signatures_before_a_compromise_stay_valid_and_later_ones_do_not(
    two: tuple[SignedHead, SignedHead], client: Client
) -> None:
    before, after = two
    assert mark(before, "--since", "2026-11-03") == (
        f"{key_id(before)} compromised since 2026-11-03 00:00 UTC\n"
    )
    assert signed_heads.newest_trusted() == before
    assert client.get("/transparency/audit-head").text == before.note
    told = client.get("/api/v1/audit/heads").json()["heads"]
    assert [(one["size"], one["compromised"]) for one in told] == [
        (after.size, True),
        (before.size, False),
    ]
    page = " ".join(client.get("/keys/").text.split())
    assert "A head that it signed proves nothing, except one that you stored before" in page
    assert "The file lay on a shared host" in page
    assert client.get("/transparency/audit/").text.count("proves nothing") == 1
    event = AuditEvent.objects.get(action="audit_key.compromised")
    assert event.details["key"] == before.vkey


def test_verify_audit_says_so_and_takes_no_copy_of_a_head_that_proves_nothing(
    two: tuple[SignedHead, SignedHead], tmp_path: Path
) -> None:
    before, after = two
    assert "no proof" not in verified()[0]
    mark(before, "--since", "2026-11-03")
    assert "signed with a compromised key, and no proof: 1 heads" in verified()[0]
    both, later = tmp_path / "both", tmp_path / "later"
    both.write_text(f"{before.note}\n{after.note}")
    later.write_text(after.note)
    _, warned = verified("--head", str(both))
    assert f"the head over {after.size} rows proves nothing" in warned
    for arguments in ((), ("--key", after.vkey)):
        with pytest.raises(CommandError, match="no head that proves anything"):
            verified("--head", str(later), *arguments)


def test_a_compromised_key_no_longer_signs_and_a_new_one_continues(
    two: tuple[SignedHead, SignedHead], new_key: Callable[[], None], client: Client
) -> None:
    mark(two[0])  # the start is unknown: from the first head on
    assert CompromisedAuditKey.objects.get().since == two[0].signed_at
    assert signed_heads.newest_trusted() is None
    answer = client.get("/transparency/audit-head")
    assert (answer.status_code, "compromised" in answer.text) == (404, True)
    with pytest.raises(HeadRefused, match="replace it and restart the workers"):
        signed_heads.sign()
    with pytest.raises(HeadRefused, match="replace it and restart the workers"):
        signed_heads.sweep(timezone.now())
    line = next(one for one in findings.lines() if one.name == "Signed head of the trail")
    assert (line.state, "compromised" in line.text) == ("alarm", True)
    new_key()
    head = signed_heads.sign()
    assert signed_heads.newest_trusted() == head
    assert head.size >= two[1].size


def test_the_start_of_a_compromise_only_moves_earlier(two: tuple[SignedHead, SignedHead]) -> None:
    for since in ("2026-11-03", "2026-11-04", "2026-11-02"):
        mark(two[0], "--since", since)
    assert f"{CompromisedAuditKey.objects.get().since:%Y-%m-%d}" == "2026-11-02"
    assert AuditEvent.objects.filter(action="audit_key.compromised").count() == 2


def test_recipients_of_heads_learn_which_ones_no_longer_prove_anything(
    two: tuple[SignedHead, SignedHead], settings: Settings
) -> None:
    settings.AUDIT_HEAD_RECIPIENTS = ["notary@example.org", "library@example.org"]
    for since in ("2026-11-03", "2026-11-04", "2026-11-02"):
        mark(two[0], "--since", since)
    mails = OutgoingMail.objects.filter(kind="audit_key_compromised").order_by("to", "pk")
    assert [(mail.to, "2 November 2026" in mail.text) for mail in mails] == [
        ("library@example.org", False),
        ("library@example.org", True),
        ("notary@example.org", False),
        ("notary@example.org", True),
    ]
    assert all(two[0].vkey in mail.text and "a shared host" in mail.text for mail in mails)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--compromised", "--since", "2100-01-01"), "from a later time"),
        (("--compromised", "--reason", "no"), "say why"),
        ((), "add --compromised"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(
    two: tuple[SignedHead, SignedHead], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("retire_key", key_id(two[0]), *REASON, *arguments)
    with pytest.raises(CommandError, match="no audit key 'ffffffff'; there are"):
        call_command("retire_key", "ffffffff", *REASON, "--compromised")
    assert not CompromisedAuditKey.objects.exists()
