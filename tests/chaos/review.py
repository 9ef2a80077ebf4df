"""Jobs that apply through the API, and jobs that decide in the admin."""

import queue
import re
import time
from typing import Any

from tests.chaos.cast import GATED, TIER, Person
from tests.chaos.downloads import fetch
from tests.chaos.scene import Impatient, Job, NotNow, Scene, Verdict, bearer
from tests.support import factories
from tests.support.http.visitor import Visitor

_ANSWERS = {key: value for key, value in factories.ANSWERS.items() if key != "licence_accept"}
_MINE = {"draft", "returned"}
_FIELDS: dict[str, dict[str, str]] = {
    "approve": {"days": "30", "confirmed": "on"},
    "return": {"return_reasons": "purpose_unclear", "remark_abstract": "Name the method."},
    "reject": {"reject_reasons": "commercial_use", "note": "This is a product and no research."},
}


class Applicants(Job):
    """Applies for one person after another, and follows each application to its end."""

    def __init__(self, scene: Scene, name: str, people: "queue.Queue[Person]") -> None:
        super().__init__(scene, name)
        self._people = people
        self._open: list[tuple[Person, str]] = []

    def step(self) -> bool:
        if len(self._open) < 3 and not self._people.empty():
            person = self._people.get()
            begun = self._call(person, "POST", "", {"tier": TIER}, 201)
            self._open.append((person, f"/{begun['id']}"))
            self._send(person, f"/{begun['id']}")
            self.scene.count("applications sent")
        if self._open:
            self._follow(*self._open[0])
        time.sleep(self.random.uniform(0.1, 0.4))
        return True

    def _follow(self, person: Person, path: str) -> None:
        """React to the application's state; an undecided one goes to the end of the list."""
        self._open.pop(0)
        status = self._call(person, "GET", path)["status"]
        if status in _MINE:
            self._send(person, path)
            self.scene.count("applications sent again")
        if status == "approved":
            self._download(person)
        elif status == "rejected":
            self._expect_refusal(person)
        else:
            self._open.append((person, path))

    def _download(self, person: Person) -> None:
        path = self.random.choice(sorted(self.scene.files))
        digest = fetch(self, self.scene.address(GATED, path), person.token)
        if digest != self.scene.files[path]:
            self.scene.is_wrong(f"{person.name} got {path} with SHA-256 {digest}")
        self.scene.count_download(person.name, "the approved")

    def _expect_refusal(self, person: Person) -> None:
        address = self.scene.address(GATED, sorted(self.scene.files)[0])
        refused = self.insist(lambda: self.ask("GET", address, headers=bearer(person.token)))
        if (refused.status_code, refused.headers.get("X-Refusal-Code")) != (403, "rejected"):
            self.scene.is_wrong(f"{person.name} was rejected and got {refused.status_code}")

    def _send(self, person: Person, path: str) -> None:
        """Save and submit; after a lost response the state shows whether it succeeded."""
        title = f"Outliers, told anew at {time.time()}"
        answers = _ANSWERS | {"work_email": f"{person.name}@example.org", "title": title}
        while (application := self._call(person, "GET", path))["status"] in _MINE:
            if application["answers"].get("title") != title:
                body = {"answers": answers, "seen_version": application["version"]}
                self._call(person, "PUT", f"{path}/answers", body, 200, 409)
                continue
            accepted = {
                "licence_accept": True,
                "licence_sha256": application["terms"]["text_sha256"],
                "seen_version": application["version"],
            }
            self._call(person, "POST", f"{path}/submit", accepted, 200, 409)

    def _call(
        self, person: Person, method: str, path: str, body: Any = None, *expected: int
    ) -> dict[str, Any]:
        """Call the API; returns the JSON. AssertionError for an unexpected status."""
        address = f"{self.scene.install.url}/api/v1/applications{path}"
        answer = self.insist(
            lambda: self.ask(method, address, json=body, headers=bearer(person.token))
        )
        assert answer.status_code in (expected or (200,)), f"{method} {path}: {answer.text}"
        content: dict[str, Any] = answer.json()
        return content


class Reviewer(Job):
    """Opens the next application of the queue and decides it; two reviewers often collide."""

    def __init__(self, scene: Scene, person: Person) -> None:
        super().__init__(scene, person.name)
        self._visitor = Visitor(scene.install.url)
        self.session = self._visitor.session

    def sign_in(self) -> None:
        self._visitor.visit("/accounts/login/?next=/admin/")
        self._visitor.submit("Sign in", login=self.name, password=factories.PASSWORD)

    def step(self) -> bool:
        applications = f"{self.scene.install.url}/admin/accounts/application"
        page = self.insist(lambda: self.ask("GET", f"{applications}/next/"))
        assert "/login/" not in page.url, "the session of a reviewer ended"
        found = re.search(r"/application/(\d+)/change/$", page.url)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        if found is None or token is None or 'value="approve"' not in page.text:
            time.sleep(self.random.uniform(0.2, 0.6))
            return True
        word = self.random.choices(list(_FIELDS), weights=[7, 2, 1])[0]
        self._press(f"{applications}/{found[1]}/decide/{word}/", int(found[1]), word, token[1])
        return True

    def _press(self, address: str, application: int, word: str, token: str) -> None:
        """Press a button once; without a response its outcome is unknown."""
        fields = _FIELDS[word] | {"csrfmiddlewaretoken": token}
        headers = {"Accept": "application/json", "Referer": address}
        try:
            answer = self.ask("POST", address, data=fields, headers=headers, allow_redirects=False)
        except (NotNow, Impatient):
            outcome = "unknown"
        else:
            is_json = answer.headers.get("Content-Type", "").startswith("application/json")
            outcome = {200: "done", 409: "refused"}.get(answer.status_code, "") if is_json else ""
            if not outcome:
                self.scene.is_wrong(f"{word} of {application}: {answer.status_code} {answer.text}")
        self.scene.verdicts.append(Verdict(application, self.name, word, outcome))
        self.scene.count(f"decisions {outcome}")
