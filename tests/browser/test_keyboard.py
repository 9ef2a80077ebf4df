"""What applicants, reviewers and release owners do, with only a keyboard."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.applications.models import Application
from accounts.applications.questions import STEPS
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.browser import site
from tests.support.browser.keyboard import Keyboard
from tests.support.browser.site import Site
from tests.support.servers.live import Portal
from tests.support.servers.services import wait_until
from weights.catalogue.models import Checkpoint
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

PASSWORD = "a phrase of keys 2026"


def test_an_applicant_signs_up_and_submits_an_application(
    store: Path,
    gated_tier: Tier,
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    url = start_portal().url
    page = open_browser().new_page()
    keys = Keyboard(page)
    page.goto(f"{url}/apply/{gated_tier.slug}/")
    keys.assert_no_trap()
    keys.press("Sign up")
    person = {"email": "grace@uni.example", "username": "grace"}
    keys.fill({**person, "password1": PASSWORD, "password2": PASSWORD}, "Sign up")
    page.goto(_confirmation())
    keys.press("Confirm")
    keys.fill({"login": "grace", "password": PASSWORD}, "Sign in")
    expect(page).to_have_url(f"{url}/apply/{gated_tier.slug}/")
    answers = factories.ANSWERS | {"work_email": "grace@uni.example"}
    keys.fill({"country": answers["country"]}, "Start the application")
    for _, names in STEPS.values():
        keys.assert_no_trap()
        keys.fill({name: answers[name] for name in names if name in answers}, "Save and continue")
    keys.press("Submit application")
    page.get_by_text("Waiting for a reviewer").wait_for()
    assert Application.objects.get().answers["title"] == answers["title"]


def _confirmation() -> str:
    mails = OutgoingMail.objects.filter(to="grace@uni.example")
    wait_until(mails.exists, "the mail with the link")
    found = re.search(r"http://\S+/accounts/confirm-email/[^\s/]+/\S*", mails.get().full_text)
    assert found is not None
    return found[0]


def test_a_reviewer_decides_and_undoes_it(
    store: Path,
    gated_tier: Tier,
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    application = factories.submitted(factories.person("grace"), gated_tier)
    reviewer = factories.staff("reviewer", Role.REVIEWER, gated_tier)
    url = start_portal(settings_={"DECISION_UNDO_SECONDS": "600"}).url
    page = _window(open_browser, url, reviewer)
    keys = Keyboard(page)
    page.goto(f"{url}/admin/")
    keys.press("Unclaimed applications")
    keys.assert_no_trap()
    keys.press(application.answers["title"])
    keys.assert_no_trap()
    keys.tab_to(name="verdict")
    page.keyboard.press("Space")
    while keys.focused()["value"] != "reject":
        page.keyboard.press("ArrowRight")
    keys.tab_to(name="reject_reasons")
    page.keyboard.press("Space")
    keys.tab_to(name="note")
    page.keyboard.insert_text("Please name the question and the method of your study.")
    page.wait_for_selector(".mail-text:has-text('name the question and the method')")
    keys.press("Reject")
    application.refresh_from_db()
    assert application.pending_until is not None
    keys.press("Undo")
    page.get_by_text("it is on your desk again").wait_for()
    application.refresh_from_db()
    assert application.pending_until is None


def test_a_release_owner_moves_withdraws_and_quarantines(
    store: Path,
    gated_tier: Tier,
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    second = Tier.objects.create(
        slug="second", name="Second", mode=gated_tier.mode, licence=gated_tier.licence
    )
    first = factories.published("acme/small", gated_tier)
    factories.published("acme/small", gated_tier, {"README.md": b"# Wrong\n"})
    owner = factories.staff("owner", Role.RELEASE_OWNER)
    url = start_portal().url
    page = _window(open_browser, url, owner)
    keys = Keyboard(page)
    page.goto(f"{url}/admin/weights/checkpoint/")
    keys.press("acme/small")
    keys.assert_no_trap()
    keys.fill({"tier": str(second.pk)}, "Save")
    assert Checkpoint.objects.get(name="small").tier == second
    page.goto(f"{url}/admin/weights/revision/")
    keys.assert_no_trap()
    keys.tab_to(name="_selected_action")
    page.keyboard.press("Space")
    keys.tab_to(name="action")
    keys.choose("withdraw")
    keys.press("Go")
    keys.fill({"reason": "The wrong files were published."}, "Withdraw")
    assert Revision.objects.get(state=Revision.State.WITHDRAWN) != first
    page.goto(f"{url}/admin/weights/file/{first.files.all()[0].pk}/change/")
    keys.press("Show its reach")
    keys.assert_no_trap()
    keys.fill({"reason": "The bytes are not ours to give."}, "Quarantine")
    assert Blob.objects.filter(state=Blob.State.QUARANTINED).count() == 1


def _window(open_browser: Callable[..., BrowserContext], url: str, user: User) -> Page:
    world = Site(sessions={"reader": site.session(user)}, url=url)
    context = open_browser()
    context.add_cookies([world.cookie("reader")])  # type: ignore[list-item]
    return context.new_page()
