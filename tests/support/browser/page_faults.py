"""Find faults of a page in a browser: at several widths, in both schemes, without scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page

from tests.conftest import MISSING
from tests.support import html_checker, tools


class State(NamedTuple):
    """The width and colour scheme of a window, and whether axe, the slowest check, runs in it."""

    width: int
    scheme: Literal["light", "dark"]
    for_axe: bool = False


#: axe checks a phone and a desktop, light and dark. Consecutive states differ little.
STATES = (
    State(390, "light", for_axe=True),
    State(768, "light"),
    State(768, "dark"),
    State(1440, "dark", for_axe=True),
)
#: For pages that are like other pages.
FEWER_STATES = (State(390, "dark", for_axe=True), State(768, "light"), State(1440, "light"))
#: For a page on which the scheme can change more than colours.
ALL_STATES = (
    *(State(390, "light", for_axe=True), State(768, "light"), State(1440, "light")),
    *(State(390, "dark"), State(768, "dark"), State(1440, "dark", for_axe=True)),
)
#: Everything that scrolls sideways: the page, or a list of the admin.
_SIDEWAYS = """
[document.documentElement, ...document.querySelectorAll(".results, .inline-group")]
  .filter(one => one.scrollWidth > one.clientWidth)
  .map(one => `${one.tagName} is ${one.scrollWidth - one.clientWidth} px wider than the window`)"""
#: Targets lower than the 24 px of WCAG 2.2, except links in running text.
_SMALL = """
[...document.querySelectorAll("#container :is(a, button, select, summary, input)")]
  .filter(one => one.type !== "hidden" && one.checkVisibility() && one.offsetHeight)
  .filter(one => !one.closest("p, li:not(.object-tools li), dd, .help, label, .small"))
  .filter(one => getComputedStyle(one).position !== "absolute" && one.offsetHeight < 24)
  .map(one => `too low for a finger: ${one.outerHTML.slice(0, 80)}`)"""
#: References to missing elements, except those in Django's password hash widget.
_DANGLING = """
["for", "aria-labelledby", "aria-describedby", "aria-controls"].flatMap(name =>
  [...document.querySelectorAll(`[${name}]:not(div[disabled])`)]
    .flatMap(one => one.getAttribute(name).split(/\\s+/))
    .filter(id => id && !document.getElementById(id)).map(id => `${name} names no ${id}`))"""
_HEADINGS = """
[...document.querySelectorAll("h1")].filter(one => one.checkVisibility() && one.innerText.trim())
  .length"""
_ACTIONS = """action =>
[...document.querySelectorAll(":is(main, #content) :is(a, button, summary, input, label)")]
  .filter(one => one.checkVisibility())
  .some(one => one.textContent.replace(/\\s+/g, " ").includes(action) || one.value === action)"""
#: Rules for only one colour scheme. If there are none, the scheme changes only colours (by
#: `light-dark()`), and no width needs to be measured in both.
_SCHEMES = """
[...document.styleSheets].flatMap(function conditions(one) {
  const nested = one.styleSheet ? [one.styleSheet] : [...(one.cssRules ?? [])];
  return [one.media?.mediaText ?? "", ...nested.flatMap(conditions)];
}).filter(condition => condition.includes("prefers-color-scheme"))
  .map(condition => `a style sheet has rules for ${condition}`)"""
#: Without the page's style sheets, which axe would load again and report.
_AXE = {"resultTypes": ["violations"], "preload": False}
#: Excludes what Swagger UI and Django's Select2 draw.
_OURS = {"exclude": [["#swagger-ui"], [".select2-container"]]}
_RUN_AXE = "([context, options]) => axe.run(context, options).then(found => found.violations)"
#: Finishes transitions; returns whether the page already has axe.
_FINISH = """document.getAnimations().filter(one => one instanceof CSSTransition)
  .forEach(one => one.finish()), "axe" in window"""


def axe_violations(page: Page) -> list[dict[str, Any]]:
    """The violations that axe finds after all transitions have ended.

    The contrast of changing colours cannot be measured.
    """
    if not page.evaluate(_FINISH):
        page.evaluate(AXE_SCRIPT)
    violations: list[dict[str, Any]] = page.evaluate(_RUN_AXE, [_OURS, _AXE])
    return violations


@dataclass
class Inspector:
    """Two windows, with and without scripts; a new window costs much more than a new reader."""

    scripted: Page
    plain: Page
    faults: list[str] = field(default_factory=list)
    #: URL -> HTML as sent by the server.
    html: dict[str, bytes] = field(default_factory=dict)
    #: The current state of the first window.
    state: State | None = None

    @classmethod
    def of(cls, scripted: BrowserContext, plain: BrowserContext) -> "Inspector":
        inspector = cls(scripted.new_page(), plain.new_page())
        inspector.plain.set_viewport_size({"width": 390, "height": 900})
        page = inspector.scripted
        page.on("console", lambda line: inspector._hear(line.type, line.text))
        page.on("pageerror", lambda error: inspector._hear("error", str(error)))
        return inspector

    def become(self, cookie: Mapping[str, str] | None) -> None:
        """Use this session cookie, or none."""
        for window in (self.scripted.context, self.plain.context):
            window.clear_cookies()
            if cookie:
                window.add_cookies([cookie])  # type: ignore[list-item]

    def inspect(
        self, address: str, action: str = "", status: int = 200, states: Sequence[State] = STATES
    ) -> None:
        """Add the page's faults to `faults`; `action` must also be shown without scripts."""
        self._open(self.plain, address, status)
        headings, wide = self.plain.evaluate(f"[{_HEADINGS}, {_SIDEWAYS}]")
        if headings != 1:
            self._add("not one heading of the first level")
        if action and not self.plain.evaluate(_ACTIONS, action):
            self._add(f"without scripts nobody can reach: {action}")
        self._add(*(f"without scripts: {one}" for one in wide))
        self._open(self.scripted, address, status)
        self._add(*self.scripted.evaluate(_DANGLING))
        if states is not ALL_STATES:
            self._add(*self.scripted.evaluate(_SCHEMES))
        # Backwards if the last page ended with the last state, since each change costs a layout.
        for state in states[::-1] if self.state == states[-1] else states:
            self._look(state)

    def _look(self, state: State) -> None:
        self._show(state)
        name = f"{state.width} px, {state.scheme}"
        self._add(*(f"{name}: {one}" for one in self.scripted.evaluate(_SIDEWAYS)))
        if state.width == 390:
            self._add(*self.scripted.evaluate(_SMALL))
        if state.for_axe:
            for one in axe_violations(self.scripted):
                self._add(f"{name}: {one['id']} at {one['nodes'][0]['target']}")

    def _show(self, state: State) -> None:
        now, self.state = self.state, state
        if now is None or now.scheme != state.scheme:
            self.scripted.emulate_media(color_scheme=state.scheme)
        if now is None or now.width != state.width:
            self.scripted.set_viewport_size({"width": state.width, "height": 900})

    def _open(self, page: Page, address: str, status: int) -> None:
        self._address = address
        response = page.goto(address)
        assert response is not None
        if response.status != status:
            self._add(f"answers {response.status}")
        if page is self.plain:
            self.html[address] = response.body()

    def _hear(self, kind: str, text: str) -> None:
        # The console also reports an error page.
        if kind in {"error", "warning"} and "404" not in text:
            self._add(f"console: {text}")

    def _add(self, *faults: str) -> None:
        self.faults += [f"{self._address}: {fault}" for fault in faults]


def assert_sound(inspector: Inspector, folder: Path) -> None:
    """Assert no faults and valid HTML; the latter last, because it needs the checker."""
    assert not inspector.faults, "\n".join(inspector.faults)
    if tools.find("vnu") is None:
        pytest.skip(f"{MISSING}: vnu")
    findings = html_checker.findings(inspector.html, folder)
    assert not findings, "\n".join(findings)
