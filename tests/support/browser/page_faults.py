"""What is wrong with a page as a browser shows it, at each width, in both colours, and plain."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

WIDTHS = (1440, 768, 390)
#: The states in which axe, the slowest check, looks at a page: a phone and a desk, dark and light.
FOR_AXE = frozenset({(390, "light"), (1440, "dark")})
#: What scrolls sideways: the page, or a list of the admin.
_SIDEWAYS = """
[document.documentElement, ...document.querySelectorAll(".results, .inline-group")]
  .filter(one => one.scrollWidth > one.clientWidth)
  .map(one => `${one.tagName} is ${one.scrollWidth - one.clientWidth} px wider than the window`)"""
#: What a finger must hit and is lower than the 24 px of WCAG 2.2, but for links in running text.
_SMALL = """
[...document.querySelectorAll("#container :is(a, button, select, summary, input)")]
  .filter(one => one.type !== "hidden" && one.checkVisibility() && one.offsetHeight)
  .filter(one => !one.closest("p, li:not(.object-tools li), dd, .help, label, .small"))
  .filter(one => getComputedStyle(one).position !== "absolute" && one.offsetHeight < 24)
  .map(one => `too low for a finger: ${one.outerHTML.slice(0, 80)}`)"""
#: References to no element, but for the ones in Django's widget of a password's hash.
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
#: Without the style sheets of the page, which axe would load again, and complain about.
_AXE: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
#: Without what Swagger UI and Django's Select2 draw.
_OURS = {"exclude": [["#swagger-ui"], [".select2-container"]]}


_FINISH = """document.getAnimations().filter(one => one instanceof CSSTransition)
  .forEach(one => one.finish())"""


def axe_violations(page: Page) -> list[dict[str, Any]]:
    """The violations that axe finds once all transitions have ended.

    Colours that still change have no contrast to measure.
    """
    page.evaluate(_FINISH)
    found = Axe().run(page, context=_OURS, options=_AXE)
    violations: list[dict[str, Any]] = found.response["violations"]
    return violations


@dataclass
class Inspector:
    """Two windows of one reader: with scripts, and without."""

    scripted: Page
    plain: Page
    faults: list[str] = field(default_factory=list)
    #: Address -> HTML as the server sent it.
    html: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, scripted: BrowserContext, plain: BrowserContext) -> "Inspector":
        inspector = cls(scripted.new_page(), plain.new_page())
        inspector.plain.set_viewport_size({"width": WIDTHS[-1], "height": 900})
        page = inspector.scripted
        page.on("console", lambda line: inspector._hear(line.type, line.text))
        page.on("pageerror", lambda error: inspector._hear("error", str(error)))
        return inspector

    def inspect(
        self,
        address: str,
        action: str = "",
        status: int = 200,
        for_axe: Container[tuple[int, str]] = FOR_AXE,
    ) -> None:
        """Add the faults of the page to `faults`; `action` is shown without scripts too."""
        self._open(self.plain, address, status)
        if self.plain.evaluate(_HEADINGS) != 1:
            self._add("not one heading of the first level")
        if action and not self.plain.evaluate(_ACTIONS, action):
            self._add(f"without scripts nobody can reach: {action}")
        self._measure(self.plain, "without scripts")
        self._open(self.scripted, address, status)
        for name in self.scripted.evaluate(_DANGLING):
            self._add(name)
        for scheme in ("light", "dark"):
            self.scripted.emulate_media(color_scheme=scheme)
            for width in WIDTHS:
                self.scripted.set_viewport_size({"width": width, "height": 900})
                self._measure(self.scripted, f"{width} px, {scheme}")
                if (width, scheme) in for_axe:
                    self._run_axe(f"{width} px, {scheme}")
        for small in self.scripted.evaluate(_SMALL):
            self._add(small)

    def _open(self, page: Page, address: str, status: int) -> None:
        self._address = address
        response = page.goto(address)
        assert response is not None
        if response.status != status:
            self._add(f"answers {response.status}")
        if page is self.plain:
            self.html[address] = response.body()

    def _run_axe(self, state: str) -> None:
        for one in axe_violations(self.scripted):
            self._add(f"{state}: {one['id']} at {one['nodes'][0]['target']}")

    def _measure(self, page: Page, state: str) -> None:
        for wide in page.evaluate(_SIDEWAYS):
            self._add(f"{state}: {wide}")

    def _hear(self, kind: str, text: str) -> None:
        # A page of an error is an error to the console too.
        if kind in {"error", "warning"} and "404" not in text:
            self._add(f"console: {text}")

    def _add(self, fault: str) -> None:
        self.faults.append(f"{self._address}: {fault}")
