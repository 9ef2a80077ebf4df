"""The reviewers' desk in a real browser: by keyboard alone, without scripts, and its looks.

The goal: from the queue to a decision in at most 8 keys, 1 page load and 350 words on screen
beside the applicant's own text.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.test import Client
from playwright.sync_api import BrowserContext, Frame, Page, expect

from accounts.applications.workflow import submission
from accounts.review.checklist import QUESTIONS
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.browser.page_faults import axe_violations
from tests.support.servers.live import Portal
from weights.catalogue import opt_family

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

log = logging.getLogger(__name__)

QUEUE = "/admin/accounts/application/"
KEYS, LOADS, WORDS = 8, 1, 350
LONG_TITLE = "A title of three hundred characters in 文字 and العربية, " + "wordsthatdonotend" * 14
#: Visible words that are not the applicant's.
COUNT = """() => {
  const seen = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let words = 0;
  while (seen.nextNode()) {
    const parent = seen.currentNode.parentElement;
    if (parent.closest("[data-applicant], script, style, option, textarea")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const said = seen.currentNode.data.split(/\\s+/);
    words += said.filter((one) => /[\\p{L}\\p{N}]/u.test(one)).length;
  }
  return words;
}"""


@dataclass
class Desk:
    """A running portal with a reviewer at it."""

    url: str
    session: str
    pages: dict[str, str]

    def window(self, open_browser: Callable[..., BrowserContext], **options: Any) -> Page:
        context = open_browser(**options)
        name = portal_settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": self.session, "url": self.url}])
        return context.new_page()


@pytest.fixture
def desk(store: Path, start_portal: Callable[..., Portal]) -> Desk:
    opt_family.load()
    tier = Tier.objects.get(slug="opt-175b")
    reviewer = factories.staff("reviewer", Role.LEAD_REVIEWER)
    answers = factories.ANSWERS | {"title": LONG_TITLE, "full_name": "محمد الفارسي 大學"}
    plain = factories.submitted(factories.person("plain"), tier)
    following = factories.submitted(factories.person("following"), tier, answers)
    again = factories.returned(factories.person("again"), tier, reviewer)
    _send_again(again.applicant, tier)
    names = {"plain": plain, "following": following, "again": again}
    return Desk(
        start_portal().url,
        _session(reviewer),
        {name: f"{QUEUE}{one.pk}/change/" for name, one in names.items()},
    )


def _send_again(applicant: User, tier: Tier) -> None:
    application = applicant.applications.get()
    answers = application.answers | {"abstract": application.answers["abstract"] + " By probes."}
    submission.save_answers(
        application, answers, by=applicant, expected_version=application.answers_version
    )
    submission.submit(
        application, by=applicant, licence_sha256=factories.in_force(tier).text_sha256
    )


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[portal_settings.SESSION_COOKIE_NAME].value


def test_a_reviewer_decides_by_keyboard(
    desk: Desk, open_browser: Callable[..., BrowserContext]
) -> None:
    """`--log-cli-level=info` shows the figures."""
    page = desk.window(open_browser)
    page.goto(desk.url + QUEUE)
    loads: list[str] = []

    def note(frame: Frame) -> None:
        if frame == page.main_frame:
            loads.append(frame.url)

    page.on("framenavigated", note)
    keys, words = ["n", "a", "y", "Enter", "Enter"], []
    page.keyboard.press(keys[0])
    page.wait_for_url("**/change/")
    assert page.url == desk.url + desk.pages["again"]  # came back to its reviewer
    words.append(page.evaluate(COUNT))
    for key in keys[1:3]:
        page.keyboard.press(key)
    page.wait_for_selector(".mail-text:has-text('has been approved')")
    page.wait_for_selector(".review-facts :text('claimed by you')")
    assert page.locator("button[form=claim]").inner_text() == "Release"
    words.append(page.evaluate(COUNT))
    subject, text = (page.locator(name).inner_text() for name in (".mail-subject", ".mail-text"))
    opened = len(loads)
    assert opened <= LOADS
    page.keyboard.press(keys[3])
    page.get_by_role("button", name="Approve anyway").wait_for()  # its remark is not ticked off
    page.keyboard.press("Enter")
    page.wait_for_url(desk.url + desk.pages["plain"])
    assert "approved until" in page.locator(".messagelist").inner_text()
    log.info("keys %s; page loads %d; words opened, with mail: %s", keys, opened, words)
    assert len(keys) <= KEYS
    assert max(words) <= WORDS
    _rejects_by_keyboard(page)
    page.wait_for_url(desk.url + desk.pages["following"])
    page.goto(desk.url + desk.pages["again"])
    page.locator(".history > summary").click()
    assert subject in page.locator(".history").inner_text()
    assert f"{QUESTIONS['identity']} Yes" in page.locator(".history").inner_text()
    assert text


def _rejects_by_keyboard(page: Page) -> None:
    """A reason by its number, the note by m: typed words are no keys of the path."""
    for key in ("x", "3", "m"):
        page.keyboard.press(key)
    page.keyboard.type("Please name the question and the method of your study.")
    page.wait_for_selector(".mail-text:has-text('name the question and the method')")
    page.keyboard.press("Control+Enter")


def test_escape_leaves_the_search_of_the_queue_and_a_question_mark_shows_its_keys(
    desk: Desk, open_browser: Callable[..., BrowserContext]
) -> None:
    page = desk.window(open_browser)
    page.goto(desk.url + QUEUE)
    search, keys = page.locator("input[name=q]"), page.locator("#keys")
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.type("n?")
    expect(keys).not_to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(search).not_to_be_focused()
    page.keyboard.press("?")
    expect(keys).to_have_attribute("open", "")
    expect(keys.get_by_text("leave the search")).to_be_visible()
    page.keyboard.press("?")
    expect(keys).not_to_have_attribute("open", "")
    page.keyboard.press("n")
    page.wait_for_url("**/change/")


def test_all_of_it_works_without_scripts(
    desk: Desk, open_browser: Callable[..., BrowserContext]
) -> None:
    page = desk.window(open_browser, java_script_enabled=False)
    page.goto(desk.url + QUEUE)
    page.locator("a", has_text="Next").click()
    page.get_by_text("Return", exact=False).first.click()
    page.locator("#id_remark_abstract").fill("Which <probes>?")
    page.get_by_role("checkbox", name="The purpose is not clear enough").check()
    page.locator("button.decide-preview:visible").click()
    assert "Which <probes>?" in page.locator(".mail-text").inner_text()
    page.locator("button.decide-send:visible").click()
    assert "returned to the applicant" in page.locator(".messagelist").inner_text()
    page.goto(desk.url + QUEUE)
    page.locator("select[name=state]").select_option("returned")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_the_desk_is_sound_to_look_at(
    desk: Desk, open_browser: Callable[..., BrowserContext]
) -> None:
    """Both widths, both colours, and the queue and the page with each verdict begun."""
    faults: list[str] = []

    def hear(message: object) -> None:
        if "404" not in str(message):  # the browser asks for an icon
            faults.append(str(message))

    page = desk.window(open_browser, width=390)
    page.on("console", lambda message: hear(message.text))
    page.on("pageerror", hear)
    shown = [(QUEUE, ""), (desk.pages["following"], "r"), (desk.pages["again"], "a")]
    for address, key in shown:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 390, "height": 900})
        page.goto(desk.url + address)
        if key:
            page.keyboard.press(key)
            page.wait_for_selector(".mail-text:visible")
            for part in page.locator(".more summary, .history summary, .keys summary").all():
                part.click()
        faults += _found(page)
        page.set_viewport_size({"width": 1440, "height": 900})
        faults += _found(page)
        page.emulate_media(color_scheme="dark")
        faults += _found(page)
    assert faults == []


def _found(page: Page) -> list[str]:
    """What scrolls sideways, and what axe finds."""
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    faults = [f"{page.url}: {wide} px too wide"] if wide > 0 else []
    return faults + [
        f"{page.url} {one['id']}: {one['nodes'][0]['html'][:200]}" for one in axe_violations(page)
    ]
