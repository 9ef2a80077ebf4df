"""Pages in a real browser: both widths, both colours, by keyboard, and without scripts."""

import gzip
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as portal_settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page
from pytest_django import Settings

from accounts.api_tokens.models import ApiToken
from accounts.applications.workflow import decisions
from accounts.audit.merkle_log import heads, sealer
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.audit.merkle_log import keys
from tests.support import factories
from tests.support.servers.live import Portal
from weights.catalogue import opt_family
from weights.catalogue.models import Checkpoint
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download
from weights.logbook import loading as logbook
from weights.publishing.models import Ref
from weights.storage.models import Blob

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

SHARDS = {
    f"checkpoint_last-model_part-{part}-shard{shard}.pt": f"{part}.{shard}".encode()
    for part in range(8)
    for shard in range(24)
}
#: A picture of one pixel.
PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
CARD = """# A card

![A pixel](pixel.png) ![elsewhere](https://elsewhere.example/a.png) [Down](#the-table)
<img src=x onerror="document.title='run'"><script>document.title = "run"</script>

> [!CAUTION]
> Not for production, where $n > \\frac{1}{2}$.

- [x] trained
- [ ] evaluated[^1]

## The table

| a long name of a column | another one | a third | a fourth | a fifth | a sixth | a seventh |
|---|--:|---|---|---|---|---|
| wordsthatdonotendwordsthatdonotend | 1 | 2 | 3 | 4 | 5 | 6 |

| another |
|---|
| table |

<details><summary>More</summary>

```python
def load(path: str) -> dict[str, int]:
    return {"a": 1}  # a comment
```

$$\\sum_{i=1}^{n} x_i + aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$$
</details>

[^1]: A note.
"""
LONG_TITLE = "A title of three hundred characters in 文字 and العربية, " + "wordsthatdonotend" * 14

OPEN_PAGES = [
    "/",
    "/models",
    "/facebook/opt-175b",
    "/acme/open",
    "/acme/open/tree/main",
    "/acme/open/blob/main/config.json",
    "/acme/open/blob/main/model.safetensors",
    "/acme/card",
    "/acme/card/commits/main",
    "/acme/card/compare/v1...main?path=README.md",
    "/acme/card/issues",
    "/acme/sharded",
    "/acme/sharded/tree/main",
    "/acme/sharded/blob/main/checkpoint_last-model_part-0-shard0.pt",
    "/licences/",
    "/transparency/",
    "/transparency/audit/",
    "/keys/",
    "/privacy/",
    "/licences/opt-175b/",
    "/tiers/",
    "/tiers/opt-175b/",
    "/report/",
    "/findings/",
    "/will-it-run",
    "/will-it-run?checkpoint=facebook/opt-175b",
    "/will-it-run?checkpoint=facebook/opt-175b&accelerator=t4-16&count=8",
    "/logbook/",
    "/logbook/?cause=hardware&order=newest",
    "/logbook/?q=nothing+matches",
    "/footprint/",
    "/openness/",
    "/openness/opt/",
    "/apply/opt-175b/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/confirm-email/",
    "/no/such/page",
]
PERSONAL_PAGES = [
    "/acme/sharded",
    "/access/",
    "/access/data/",
    "/access/events/",
    "/applications/",
    "/apply/opt-175b/",
    "/settings/tokens/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/sessions/",
    "/accounts/logout/",
]


@dataclass
class Site:
    """A running portal with something on every page."""

    url: str
    holder: str
    returned: str
    application: str

    @property
    def form(self) -> list[str]:
        """The pages of the returned application's form."""
        steps = ("you", "project", "plan", "terms")
        return [
            *(f"{self.application}form/{step}/" for step in steps),
            f"{self.application}review/",
        ]

    def cookie(self, session: str) -> dict[str, str]:
        name = portal_settings.SESSION_COOKIE_NAME
        return {"name": name, "value": session, "url": self.url}


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[portal_settings.SESSION_COOKIE_NAME].value


def _rows(holder: User, tier: Tier) -> None:
    """What a holder's own pages show: a grant, links in several states, downloads, tokens."""
    grant = factories.grant(holder, tier)
    checkpoint = Checkpoint.objects.get(name="sharded")
    for state in CheckpointLink.State.values:
        CheckpointLink.objects.create(
            holder=holder,
            grant=grant,
            checkpoint=checkpoint,
            cause=CheckpointLink.Cause.REQUEST,
            state=state,
            expires_at=timezone.now() + timedelta(days=7),
        )
    for outcome in Download.Outcome.values:
        Download.objects.create(
            user_id=holder.pk,
            credential_kind="token",
            repo_id="acme/sharded",
            path=f"folder/{'x' * 200}.pt",
            length=10**9,
            outcome=outcome,
            code="file_quarantined",
        )
    factories.token(holder, "read-gated")
    ApiToken.objects.mint(holder, name="namesthatdonotend" * 4, scopes=["read"])


@pytest.fixture
def site(
    store: Path, start_portal: Callable[..., Portal], settings: Settings, tmp_path: Path
) -> Site:
    opt_family.load()
    logbook.load()
    tier = Tier.objects.get(slug="opt-175b")
    factories.published(f"{'o' * 96}/{'n' * 96}")
    factories.published("acme/open", tier=Tier.objects.get(slug="open"))
    first = factories.published("acme/card", files={"README.md": b"# A card\n"})
    Ref.objects.create(checkpoint=first.checkpoint, kind=Ref.Kind.TAG, name="v1", revision=first)
    factories.published("acme/card", files={"README.md": CARD.encode(), "pixel.png": PIXEL})
    sharded = factories.published("acme/sharded", tier=tier, files=SHARDS, synthetic=True)
    states = [Blob.State.QUARANTINED, Blob.State.HASHING]
    for shard, state in enumerate(states):
        Blob.objects.filter(files__revision=sharded, files__shard=shard).update(state=state)
    holder, other = factories.person("holder"), factories.person("other")
    _rows(holder, tier)
    application = factories.submitted(other, tier, {"title": LONG_TITLE, "org_name": "大学"})
    reviewer = factories.staff("reviewer", Role.REVIEWER)
    decisions.return_for_changes(
        application,
        by=reviewer,
        reasons=["incomplete"],
        note="Say more. " * 40,
        remarks={"abstract": "Which method?"},
    )
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    sealer.seal()
    heads.sign()
    return Site(
        start_portal().url,
        _session(holder),
        _session(other),
        f"/applications/{application.public_id}/",
    )


def _faults(page: Page, address: str) -> list[str]:
    """Faults of the current page: axe's findings, and anything outside the viewport."""
    response = page.goto(address)
    assert response is not None
    assert response.status in {200, 404}, address
    found = [
        f"{address}: {violation['id']} at {violation['nodes'][0]['target']}"
        for violation in Axe().run(page).response["violations"]
    ]
    beyond = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if beyond > 0:
        found.append(f"{address}: {beyond} px wider than the window")
    return found


def _walk(site: Site, context: BrowserContext) -> list[str]:
    """Every page, as a stranger, as a holder and as an applicant; what is wrong with them."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(f"{line.type}: {line.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    faults = [fault for path in OPEN_PAGES for fault in _faults(page, site.url + path)]
    for session, paths in (
        (site.holder, PERSONAL_PAGES),
        (site.returned, [site.application, *site.form]),
    ):
        context.add_cookies([site.cookie(session)])  # type: ignore[list-item]
        faults += [fault for path in paths for fault in _faults(page, site.url + path)]
    told = [line for line in complaints if line.startswith(("error", "warning"))]
    return faults + [line for line in told if "404" not in line]


def test_every_page_is_accessible_and_fits_phone_and_desk_light_and_dark(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    faults = _walk(site, open_browser(width=390, dark=False))
    faults += _walk(site, open_browser(width=1440, dark=True))
    assert faults == []


def test_everything_comes_from_our_own_origin(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/acme/sharded", "/apply/opt-175b/", "/applications/"):
        page.goto(site.url + path, wait_until="networkidle")
    assert asked
    assert [address for address in asked if not address.startswith(site.url)] == []


def test_a_card_shows_its_own_images_and_runs_nothing(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.url + "/acme/card", wait_until="networkidle")
    assert page.title() != "run"
    assert [address for address in asked if not address.startswith(site.url)] == []
    image = page.locator(".card img").first
    image.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.card img').naturalWidth === 1")
    page.get_by_role("link", name="Down", exact=True).click()
    assert page.url.endswith("#card-the-table")
    assert page.locator("#card-the-table").is_visible()


def test_no_page_ships_more_than_150_kb_of_script_style_and_type() -> None:
    static = portal_settings.BASE_DIR / "static"
    names = [path for kind in ("css", "js") for path in (static / kind).rglob("*.*")]
    fonts = [path for path in (static / "fonts").glob("*.woff2") if "ext" not in path.name]
    upright = [path for path in fonts if "italic" not in path.name]
    sent = sum(len(gzip.compress(path.read_bytes())) for path in names)
    assert sent + sum(path.stat().st_size for path in upright) < 150_000


def test_a_keyboard_reaches_the_commands_and_moves_on_the_grid(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    page.goto(site.url + "/acme/open")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "way":
            break
    page.keyboard.press("ArrowRight")
    assert page.locator('[data-way="python"]').is_visible()
    assert not page.locator('[data-way="hf"]').is_visible()
    page.goto(site.url + "/acme/sharded/tree/main")
    first = page.locator(".shards__cells a").first
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert "part-1-shard1.pt" in page.locator("#shard-readout").inner_text()


def test_without_scripts_the_commands_and_the_form_still_work(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    context = open_browser(java_script_enabled=False)
    context.add_cookies([site.cookie(site.returned)])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(site.url + "/acme/open")
    page.get_by_text("curl", exact=True).first.click()
    assert page.locator('[data-way="curl"]').is_visible()
    page.goto(site.url + site.form[1])
    page.get_by_label("Project title").fill("Changed without a script")
    page.keyboard.press("Enter")
    page.wait_for_url(site.url + site.form[2])
    page.get_by_role("button", name="Back").click()
    assert page.get_by_label("Project title").input_value() == "Changed without a script"


def test_the_form_saves_itself_when_a_field_loses_focus(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    context = open_browser()
    context.add_cookies([site.cookie(site.returned)])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(site.url + site.form[1])
    page.locator("#autosave-mark", has_text="Saved ").wait_for()
    page.locator("#autosave-mark").evaluate("mark => { mark.textContent = '' }")
    page.get_by_label("Project title").fill("Saved by leaving the field")
    page.keyboard.press("Tab")
    page.locator("#autosave-mark", has_text="Saved ").wait_for()
    interest = page.get_by_label("If yes, what is the interest?")
    assert not interest.is_visible()
    page.get_by_label("Yes", exact=True).check()
    assert interest.is_visible()
    page.reload()
    assert page.get_by_label("Project title").input_value() == "Saved by leaving the field"


def test_errors_take_the_focus(site: Site, open_browser: Callable[..., BrowserContext]) -> None:
    context = open_browser()
    context.add_cookies([site.cookie(site.returned)])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(site.url + site.form[4])
    page.get_by_role("button", name="Submit again").click()
    page.wait_for_selector("#error-summary")
    assert page.evaluate("document.activeElement.id") == "error-summary"
    page.locator("#error-summary a", has_text="Full name").click()
    assert page.url.startswith(site.url + site.form[0])
    assert page.locator("#field-full_name .field__error").is_visible()


def test_the_colours_follow_the_system_until_the_reader_chooses(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser(dark=True).new_page()
    page.goto(site.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(media="print")
    printed = page.evaluate(ground)
    page.emulate_media(media="screen")
    page.get_by_role("button", name="Dark colours").click()
    light = page.evaluate(ground)
    assert light == printed != dark
    page.goto(site.url + "/models")
    assert page.evaluate(ground) == light
