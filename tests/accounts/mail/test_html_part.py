"""The HTML part of mails says the same as the text, and links nowhere else."""

import email
import email.policy
import re

import pytest
from django.conf import settings
from django.test import Client

from accounts.mail import html_part, outbox
from accounts.mail.models import OutgoingMail
from tests.accounts.mail.test_outbox import Inbox, _queued, inbox  # noqa: F401
from tests.support import factories

URL = settings.PUBLIC_URL
TEXT = f"""Dear Ada <b>Example</b>,

See {URL}/applications/7/, or https://evil.example/applications/.
Two lines.

- Reason one. Add a profile.
- Reason two.

Open

  {URL}/access/

and run

  curl -fO '{URL}/d/x/download.sh' && sh download.sh
  wget NAME

Weighbridge
"""


def test_blocks_are_paragraphs_lists_typed_lines_and_buttons() -> None:
    kinds = [block.kind for block in html_part.blocks(TEXT)]
    assert kinds == ["text", "text", "list", "text", "button", "text", "typed", "text"]


def test_only_addresses_of_the_portal_are_links_and_markup_is_escaped() -> None:
    html = html_part.render("Approved: <script>alert(1)</script>", TEXT)
    links = re.findall(r'href="([^"]*)"', html)
    assert links == [f"{URL}/applications/7/", f"{URL}/access/", f"{URL}/d/x/download.sh"]
    assert "<script>" not in html
    assert "&lt;b&gt;Example&lt;/b&gt;" in html
    assert "https://evil.example/applications/." in html


def test_the_html_part_contains_each_word_of_the_text() -> None:
    html = html_part.render("Subject", TEXT)
    for word in re.findall(r"\w+", TEXT):
        assert word in html


@pytest.mark.django_db
def test_a_message_is_sent_with_both_parts(inbox: Inbox) -> None:  # noqa: F811
    mail = _queued()
    outbox.deliver(mail.pk)
    (envelope,) = inbox.received
    content = envelope.content
    assert isinstance(content, bytes)
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    html = message.get_body(("html",))
    assert html is not None
    assert "Go to there" in html.get_content()


@pytest.mark.django_db
def test_mails_about_accounts_have_the_salutation_and_sign_off_of_the_others(
    client: Client,
) -> None:
    person = factories.person("grace")
    client.post("/accounts/password/reset/", {"email": person.email})
    client.post("/accounts/password/reset/", {"email": "nobody@example.org"})
    reset, unknown = OutgoingMail.objects.order_by("pk")
    assert reset.text.startswith("Dear grace,\n\n")
    assert unknown.text.startswith("Hello,\n\n")
    assert "with the address nobody@example.org." in unknown.text
    for mail in (reset, unknown):
        assert mail.text.endswith(f"\n\n{settings.SITE_NAME}")
        assert f"\n  {URL}/accounts/" in mail.full_text
