"""One person's journey in a real browser: apply, revise, two approvals, download, end.

The web server and the worker are separate processes; the file is downloaded with the mailed
link. The effects of the pages are read from the database.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings as portal_settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page

from accounts.applications.models import Application
from accounts.applications.questions import STEPS
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from tests.support.servers.services import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

README = b"# Small\n"
PLAN = "Two people of the group, on an encrypted volume; deleted within a month of the end."


@dataclass
class People:
    """A window for each who takes part, all at one portal."""

    url: str
    applicant: Page
    first: Page
    second: Page


@pytest.fixture
def tier(gated_tier: Tier) -> Tier:
    gated_tier.approvals_needed = 2
    gated_tier.save()
    return gated_tier


@pytest.fixture
def people(
    store: Path,
    tier: Tier,
    tmp_path: Path,
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> People:
    grace = factories.person("grace", email="grace@uni.example")
    first = factories.staff("first", Role.LEAD_REVIEWER, tier)
    second = factories.staff("second", Role.REVIEWER, tier)
    sessions = [_session(person) for person in (grace, first, second)]
    portal = start_portal(worker=True)
    source = tmp_path / "source"
    source.mkdir()
    (source / "README.md").write_bytes(README)
    done = portal.manage("publish", str(source), "acme/small", "--tier", tier.slug, "--wait")
    assert done.returncode == 0, done.stderr
    return People(portal.url, *(_window(open_browser, portal.url, one) for one in sessions))


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[portal_settings.SESSION_COOKIE_NAME].value


def _window(open_browser: Callable[..., BrowserContext], url: str, session: str) -> Page:
    context = open_browser()
    name = portal_settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": session, "url": url}])
    return context.new_page()


def test_from_the_form_through_two_approvals_to_the_bytes_and_to_the_end_of_access(
    people: People,
) -> None:
    resolve = f"{people.url}/acme/small/resolve/main/README.md"
    _apply(people)
    review = f"/admin/accounts/application/{Application.objects.get().pk}/change/"
    _return(people, review)
    _answer_and_submit_again(people)
    _approve(people.first, people.url + review)
    assert _status() == "in_review"
    assert _refusal(people, resolve) == "in_review"
    _approve(people.second, people.url + review)
    assert _status() == "approved"
    address = _mailed_address()
    assert requests.get(f"{address}README.md", timeout=60).content == README
    _revoke(people)
    after = requests.get(f"{address}README.md", timeout=60)
    assert (after.status_code, after.headers["X-Refusal-Code"]) == (403, "revoked")
    assert _refusal(people, resolve) == "revoked"


def _apply(people: People) -> None:
    page, answers = people.applicant, factories.ANSWERS | {"work_email": "grace@uni.example"}
    page.goto(f"{people.url}/apply/opt-175b/")
    page.locator("[name=country]").select_option(answers["country"])
    page.get_by_role("button", name="Start the application").click()
    for _, keys in STEPS.values():
        for key in keys:
            if key in answers:
                _fill(page, key, answers[key])
        page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("button", name="Submit application").click()
    page.get_by_text("Waiting for a reviewer").wait_for()


def _fill(page: Page, key: str, value: Any) -> None:
    """Enter an answer in the way that its kind of field requires."""
    fields = page.locator(f"[name={key}]")
    kind = fields.first.evaluate("field => field.type")
    if kind == "radio":
        page.locator(f"[name={key}][value={value}]").check()
    elif kind == "checkbox":
        fields.first.check()
    elif kind == "select-one":
        fields.first.select_option(value)
    else:
        fields.first.fill(value)


def _return(people: People, review: str) -> None:
    page = people.first
    page.goto(people.url + review)
    page.keyboard.press("r")
    page.locator("#id_remark_storage_plan").fill("Who can read the volume?")
    page.get_by_role("checkbox", name="The storage and deletion plan is not sufficient").check()
    page.wait_for_selector(".mail-text:has-text('Who can read the volume?')")
    page.locator("button.decide-send:visible").click()
    page.locator(".messagelist").get_by_text("returned to the applicant").wait_for()


def _answer_and_submit_again(people: People) -> None:
    page = people.applicant
    page.reload()
    page.get_by_text("Who can read the volume?").first.wait_for()
    application = page.url
    page.goto(f"{application}form/plan/")
    page.get_by_text("Who can read the volume?").wait_for()
    page.locator("[name=storage_plan]").fill(PLAN)
    page.get_by_role("button", name="Save and continue").click()
    for key in STEPS["terms"][1]:
        _fill(page, key, True)
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("button", name="Submit again").click()
    page.get_by_text("Waiting for a reviewer").wait_for()


def _approve(page: Page, review: str) -> None:
    page.goto(review)
    page.keyboard.press("a")
    page.keyboard.press("y")
    page.wait_for_selector(".mail-text:visible")
    page.locator("button.decide-approve:visible").click()
    page.get_by_role("button", name="Approve anyway").click()  # the remark is not ticked off
    page.locator(".messagelist").get_by_text("approved").wait_for()


def _revoke(people: People) -> None:
    page = people.first
    page.goto(f"{people.url}/admin/accounts/grant/")
    page.locator("#result_list tbody input[type=checkbox]").first.check()
    page.locator("select[name=action]").select_option("revoke")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).click()
    page.locator("select[name=code]").select_option("prohibited_use")
    page.locator("[name=reason]").fill("It was used for surveillance.")
    page.locator("#content form [type=submit]").click()
    page.get_by_text("revoked").first.wait_for()


def _status() -> str:
    return Application.objects.get().status


def _refusal(people: People, address: str) -> str | None:
    answer = people.applicant.request.get(address, headers={"Accept": "*/*"})
    return answer.headers.get("x-refusal-code")


def _mailed_address() -> str:
    mails = OutgoingMail.objects.filter(kind="checkpoint_link", to="grace@uni.example")
    wait_until(lambda: mails.exists(), "the mail with the link")
    found = re.search(r"(http://\S+/d/[^/\s']+/)", mails.get().full_text)
    assert found is not None
    return found[1]
