"""Hostile text from a card, a file name or a form is harmless wherever it is shown."""

import csv
import io
import json
import logging
import re
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.api_tokens import leaked_tokens
from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web import sanitize
from portal.middleware.log_filters import one_line
from tests.support import factories
from weights.errors import InvalidName
from weights.integrity import verification
from weights.publishing import intake, withdrawal
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier", "store")]

REPO = "acme/hostile"
#: In double quotes of YAML and of JSON, with escapes for characters that no editor saves.
CARD = r"""---
tags: ["\ud800x", "a\0b", "\e[31mred", "\u202egpj.exe", "=1+1", "<script>alert(1)</script>",
  "two\r\nSet-Cookie: a=b", "\u2028", "\ufffe", "\udfff\ud800"]
pipeline_tag: "text\ud800generation"
library_name: "a\0b"
license: "x\r\nX-Injected: y"
language: ["\udfff", "\x7f"]
datasets: ["\uffff", "=cmd|' /C calc'!A0"]
"\ud800key": {"\0": ["\udc00"]}
---
# A model

"""
BODY = "Red \x1b[31m, a bell \x07, turned \u202egpj.exe, a gap \u2060 and &#xD800; &#0;\n"
CONFIG = rb'{"model_type": "\ud800\u0000", "architectures": ["\udfff", "\u001b[2J"]}'
NAMES = ["=1+1.json", "<script>alert(1)<.json", "a\"b'c`$(id).json", "@x,y;z.json", "né.json"]
REFUSED = ["\u202egpj.exe", "a\nb", "a\x1b[2J", "a\u2028b", "a\ufeffb", "a\u2066b", "a\udcffb"]
#: Typed text: NUL and the lone surrogate arrive unchanged in the bytes of a form.
TYPED = "=1+1 <script>alert(1)</script> \x1b[31m\x0b\x07 \u202eexe.gpj \0 \r\nBcc: eve@example.org"
TYPED_FORM = f"{TYPED} and enough words for a report that says what happened here.".encode()

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]")


@pytest.fixture
def revision(tmp_path: Path) -> Revision:
    """A checkpoint of this corpus, published and verified as any other."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_bytes(CARD.encode() + BODY.encode() + b"\xff\xfe")
    (folder / "config.json").write_bytes(CONFIG)
    for name in NAMES:
        (folder / name).write_text(f'{{"name": "{BODY.strip()}"}}')
    made = intake.publish(folder, REPO, tier="open", message="Say \x1b[2J\0 \udcff\nmore")
    for blob in Blob.objects.awaiting_result():
        verification.verify(blob.pk)
    made.refresh_from_db()
    assert made.state == Revision.State.VISIBLE
    return made


def addresses() -> Iterator[str]:
    yield from (
        "/",
        "/models",
        f"/{REPO}",
        f"/{REPO}/tree/main",
        "/recalls/",
        "/findings/",
        "/logbook/",
    )
    yield from (f"/{REPO}/blob/main/{quote(name)}" for name in ["README.md", *NAMES])
    yield from (f"/{REPO}/resolve/main/{quote(name)}" for name in ["README.md", *NAMES])
    model = f"/api/models/{REPO}"
    yield from (model, f"{model}/tree/main?expand=1", f"{model}/commits/main", f"{model}/refs")
    yield from ("/api/models?full=1&cardData=1&config=1", "/api/v1/checkpoints")
    yield from (f"/api/v1/checkpoints/{REPO}", "/recalls/feed.atom")


def texts(value: Any) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in texts(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in texts(one))


def assert_harmless(response: Any, address: str) -> None:
    body = b"".join(response) if response.streaming else response.content
    assert response.status_code == 200, address
    for name, value in response.headers.items():
        assert value.isascii(), (address, name)
        assert value.isprintable(), (address, name)
    assert not {"x-injected", "set-cookie"} & {name.lower() for name in response.headers}
    kind = response.headers["Content-Type"].partition(";")[0]
    if kind == "application/json":
        assert all(map(sanitize.is_storable, texts(json.loads(body)))), address
    elif kind == "application/atom+xml":
        ET.fromstring(body)  # noqa: S314 - ours
    elif kind == "text/html":
        assert not RAW.search(body.decode()), address
        assert "<script>alert" not in body.decode(), address


@pytest.mark.slow
@pytest.mark.requirement("HT-6")
def test_a_published_corpus_is_harmless_on_every_page_and_in_every_answer(
    client: Client, revision: Revision
) -> None:
    for address in addresses():
        assert_harmless(client.get(address), address)


@pytest.mark.requirement("HT-5")
@pytest.mark.parametrize("name", REFUSED)
def test_a_file_name_that_hides_something_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(InvalidName, match="rename it"):
        intake.publish(tmp_path, REPO, tier="open")


def test_a_hostile_reason_is_harmless_in_the_feed_the_page_and_the_trail(
    client: Client, revision: Revision, release_owner: User
) -> None:
    reason = TYPED.replace("\0", "")
    withdrawal.withdraw(revision, reason, by=release_owner, recall=True)
    for address in ("/recalls/", "/recalls/feed.atom"):
        assert_harmless(client.get(address), address)
    assert "\\u001b[31m" in client.get("/recalls/feed.atom").text
    for details in AuditEvent.objects.values_list("details", flat=True):
        assert not any(map(sanitize.has_hidden, texts(details)))


@pytest.mark.requirement("HT-6")
def test_a_posted_form_is_harmless_in_the_mail_that_it_causes(
    client: Client, lead_reviewer: User, settings: Settings
) -> None:
    form = {"kind": "misuse", "text": TYPED_FORM.decode(), "contact": "ada@example.org"}
    answer = client.post("/report/", form)
    assert answer.status_code == 302, answer.text
    sent = list(OutgoingMail.objects.all())
    assert sent
    assert_mails_are_whole(sent, settings)


def test_a_token_of_hostile_name_is_one_line_in_its_mail(
    client: Client, applicant: User, settings: Settings
) -> None:
    client.force_login(applicant)
    form = {"name": TYPED.replace("\0", ""), "scopes": ["read"], "days": "30"}
    page = client.post("/settings/tokens/", form)
    token = ApiToken.objects.filter(user=applicant).first()
    assert token is not None, page.text
    leaked_tokens.notify_owner(token)
    assert_mails_are_whole(list(OutgoingMail.objects.filter(kind="token_leaked")), settings)


def assert_mails_are_whole(sent: list[OutgoingMail], settings: Settings) -> None:
    """What leaves has the headers that we write, and nothing hidden in its text."""
    settings.MAIL_LEAVES = True
    for row in sent:
        outbox.deliver(row.pk)
        row.refresh_from_db()
        assert row.state == OutgoingMail.State.SENT, row.last_error
        assert "\n" not in row.subject
    for message in mail.outbox:
        parsed = BytesParser().parsebytes(message.message().as_bytes())
        assert parsed["Bcc"] is None
        assert not RAW.search(str(message.body)), message.body


def test_a_hostile_subject_is_one_line_and_still_leaves(settings: Settings) -> None:
    hostile = outbox.Message("test", "ada@example.org", "Hi\r\nBcc: eve@x.org\x1b", "\x1b[2J\0x")
    row = outbox.enqueue(hostile, key="1")
    assert row is not None
    assert_mails_are_whole([row], settings)


def test_cells_of_an_export_run_nothing(
    client: Client, lead_reviewer: User, gated_tier: Tier
) -> None:
    hostile = {"title": TYPED.replace("\0", ""), "org_name": "\u202e@SUM(1)", "full_name": "＝1"}
    answers = {**factories.ANSWERS, **hostile}
    factories.submitted(factories.person(), gated_tier, answers)
    client.force_login(lead_reviewer)
    answer = client.get(reverse("admin:accounts_application_export"))
    text = b"".join(answer).decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 2
    assert [cell[0] for cell in rows[1] if cell and cell[0] in "=+-@＝＋－＠\t\r"] == []
    assert "'=1+1" in text
    assert not RAW.search(text.replace("\r\n", "\n"))


@pytest.mark.parametrize("start", [*"=+-@＝＋－＠", " =", "\u00a0="])
def test_no_cell_is_a_formula(start: str) -> None:
    assert sanitize.csv_cell(f"{start}1+1").startswith("'")
    assert sanitize.csv_cell(f"1{start}1").startswith("1")


def test_neither_a_message_nor_a_traceback_forges_a_line_of_the_log() -> None:
    token = factories.word()
    entry = {"event": TYPED, "exception": f"Traceback\n  ValueError: {TYPED}", "token": token}
    written = one_line(logging.getLogger(), "error", entry)
    assert "\n" not in written["event"]
    assert not RAW.search(written["event"] + written["exception"])
    assert written["exception"].startswith("Traceback\n")
