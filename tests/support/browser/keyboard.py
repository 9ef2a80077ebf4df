"""Use a page with only Tab, Enter, Space, arrows and letters."""

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page

#: More stops than any page has; more than this means that the focus is trapped.
_STOPS = 250
#: The focused element, and whether its focus is visible.
_FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const near = [one, one.nextElementSibling, one.parentElement, ...(one.labels ?? [])];
  const isRinged = style => (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0);
  const own = one.tagName === "INPUT" ? one.value : one.textContent;
  const words = one.labels?.length ? one.labels[0].textContent : own;
  return {
    name: one.name ?? "", value: one.value ?? "", type: one.type ?? one.tagName,
    text: (one.getAttribute("aria-label") ?? words).replace(/\\s+/g, " ").trim(),
    isRinged: near.some(other => other && isRinged(getComputedStyle(other))),
    isShown: near.some(other => other && other.checkVisibility() && other.offsetWidth > 1),
    html: one.outerHTML.slice(0, 100),
  };
}"""


class Keyboard:
    """The keyboard on one page; each stop must have a visible focus."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def focused(self) -> dict[str, Any]:
        found: dict[str, Any] | None = self.page.evaluate(_FOCUSED)
        return found or {"name": "", "value": "", "type": "", "text": "", "html": ""}

    def tab(self) -> dict[str, Any]:
        """Press Tab; return the element that is then focused."""
        self.page.keyboard.press("Tab")
        found = self.focused()
        if found["html"]:
            assert found["isRinged"], f"{self.page.url}: no ring around {found['html']}"
            assert found["isShown"], f"{self.page.url}: nobody sees {found['html']}"
        return found

    def tab_to(self, text: str = "", *, name: str = "") -> None:
        """Press Tab until it reaches an element with this label, text or field name."""
        for _ in range(_STOPS):
            found = self.tab()
            if found["name"] == name if name else found["text"].startswith(text):
                return
        raise AssertionError(f"{self.page.url}: Tab does not reach {text or name}")

    def press(self, text: str) -> None:
        """Tab to a link or button and press Enter, which loads another page."""
        self.tab_to(text)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def assert_no_trap(self) -> None:
        """Tab from the first stop of the page to the last and out of the page."""
        self.page.evaluate("document.activeElement.blur()")
        first = self.tab()["html"]
        for _ in range(_STOPS):
            if self.tab()["html"] in {"", first}:
                return
        raise AssertionError(f"{self.page.url}: the focus never leaves {self.focused()['html']}")

    def fill(self, answers: Mapping[str, Any], button: str) -> None:
        """Fill in the fields with these names in tab order, then press the button."""
        filled: set[str] = set()
        for _ in range(_STOPS):
            found = self.tab()
            name = found["name"]
            if name in answers and name not in filled:
                filled.add(name)
                self._enter(found, answers[name])
            elif found["type"] == "submit" and found["text"].startswith(button):
                with self.page.expect_navigation():
                    self.page.keyboard.press("Enter")
                return
        raise AssertionError(f"{self.page.url}: Tab does not reach {button}")

    def _enter(self, field: dict[str, Any], value: Any) -> None:
        keyboard = self.page.keyboard
        if field["type"] == "radio":
            keyboard.press("Space")
            for _ in range(_STOPS):
                if self.focused()["value"] == value:
                    return
                keyboard.press("ArrowDown")
            raise AssertionError(f"no answer {value} of {field['html']}")
        if field["type"] == "checkbox":
            keyboard.press("Space")
        elif field["type"] == "select-one":
            self.choose(value)
        else:
            keyboard.insert_text(str(value))

    def choose(self, value: str) -> None:
        """Choose from the focused list by typing the text of the option with this value."""
        words = self.page.evaluate(
            "value => [...document.activeElement.options].find(one => one.value === value).text",
            value,
        )
        self.page.keyboard.type(words)
        assert self.focused()["value"] == value
