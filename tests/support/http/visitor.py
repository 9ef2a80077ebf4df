"""A browser without scripts: opens pages, fills in forms and submits them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests


@dataclass
class Form:
    """A form of a page: its action, current values and buttons."""

    action: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""
        self._textarea = ""
        self._button: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(facts.get("action", "")))
        if not self.forms:
            return
        values = self.forms[-1].values
        name = facts.get("name", "")
        kind = facts.get("type", "text")
        if tag == "input" and kind == "submit":
            self.forms[-1].buttons[facts.get("value", "").lower()] = (name, facts.get("value", ""))
        elif tag == "input" and name:
            if kind not in {"checkbox", "radio"} or "checked" in facts:
                values[name] = facts.get("value", "on" if kind == "checkbox" else "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in facts or self._select not in values:
                values[self._select] = facts.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            values[name] = ""
        elif tag == "button":
            self._button = (name, facts.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""
        elif tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._textarea and self.forms:
            self.forms[-1].values[self._textarea] += data
        if self._button is not None and self.forms and data.strip():
            self.forms[-1].buttons[data.strip().lower()] = self._button


class Visitor:
    """One browser session against a running portal."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.session = requests.Session()
        self.page = requests.Response()

    def visit(self, path: str) -> str:
        """Open a page and return its text. AssertionError for an error status."""
        self.page = self.session.get(urljoin(self.base, path), timeout=60)
        assert self.page.ok, f"{path}: {self.page.status_code}\n{self.page.text[:3000]}"
        return self.page.text

    def submit(self, button: str, **values: str) -> str:
        """Fill in `values`, press `button` (case-insensitive), and return the next page."""
        form = self._form_with(button.lower())
        name, value = form.buttons[button.lower()]
        sent = {**form.values, **values, **({name: value} if name else {})}
        self.page = self.session.post(
            urljoin(self.page.url, form.action),
            data=sent,
            headers={"Referer": self.page.url},
            timeout=60,
        )
        assert self.page.ok, f"{button}: {self.page.status_code}\n{self.page.text[:3000]}"
        return self.page.text

    def _form_with(self, button: str) -> Form:
        parser = _Forms()
        parser.feed(self.page.text)
        for form in parser.forms:
            if button in form.buttons:
                return form
        buttons = [sorted(form.buttons) for form in parser.forms]
        raise AssertionError(f"no button {button!r} on {self.page.url}, only {buttons}")
