"""After a rollback of the database, no head is signed that contradicts the copies (AU)."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.merkle_log import copies, rollback, sealer, signed_heads, signed_notes
from accounts.audit.models import AuditEvent, HeadCopy, SealBatch, SealedNode, SealedRow, SignedHead
from tests.accounts.audit.merkle_log import keys, rows
from tests.support import factories
from tests.support.database import trail
from tests.support.servers import s3

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_horizon")]


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    """AUDIT_HEAD_COPY, in a file and in a bucket; and a key."""
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    settings.AUDIT_HEAD_COPY = f"file://{tmp_path}/heads.txt"
    if request.param == "s3":
        request.getfixturevalue("s3_store")
        settings.AUDIT_HEAD_COPY = f"s3://{s3.BUCKET}/{factories.word()}/heads"
    return str(settings.AUDIT_HEAD_COPY)


def sign_a_head() -> SignedHead:
    rows.event()
    sealer.seal()
    head = signed_heads.sign()
    copies.sweep(timezone.now())
    return head


def forget(*heads_: SignedHead) -> None:
    """Put the database back to before these heads were signed, but not their rows."""
    with trail.unguarded():
        HeadCopy.objects.filter(head__in=heads_).delete()
        SignedHead.objects.filter(pk__in=[head.pk for head in heads_]).delete()


def forget_everything() -> None:
    """Put the database back to before the first row."""
    with trail.unguarded():
        for model in (HeadCopy, SignedHead, SealBatch, SealedNode, SealedRow, AuditEvent):
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {model._meta.db_table}")


@pytest.mark.one_database
def test_a_rolled_back_portal_signs_again_once_the_loss_is_on_record(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = [sign_a_head(), sign_a_head()]
    forget_everything()
    rows.event()
    sealer.seal()
    with pytest.raises(
        signed_heads.HeadRefused, match=f"a head over {lost[-1].size} rows.*put back"
    ):
        signed_heads.sign()
    with pytest.raises(CommandError, match="--accept-rollback"):
        call_command("sign_audit_head")
    call_command("sign_audit_head", "--accept-rollback")
    output = capsys.readouterr()
    assert output.err.count("accepted as lost") == 2
    assert signed_notes.parse(output.out).size == 2
    event = AuditEvent.objects.get(action="audit.rollback_accepted")
    assert len(event.details["heads"]) == 2
    sign_a_head()
    assert rollback.accept() == []


@pytest.mark.one_database
def test_heads_over_rows_that_are_there_are_no_rollback(place: str) -> None:
    """The dump was made just before they were signed."""
    forget(sign_a_head(), sign_a_head())
    assert rollback.lost_heads() == []
    assert sign_a_head().size > 0


@pytest.mark.one_database
def test_a_head_that_a_known_key_did_not_sign_in_this_form_proves_nothing(
    place: str, settings: Settings, tmp_path: Path
) -> None:
    if place.startswith("s3:"):
        pytest.skip("a file is changed with one statement")
    head = sign_a_head()
    copied = Path(place.removeprefix("file://"))
    copied.write_text(copied.read_text() + "\n" + head.note.replace(f"\n{head.size}\n", "\n900\n"))
    assert rollback.lost_heads() == []
