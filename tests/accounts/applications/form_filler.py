"""Somebody who fills in the application's pages as a browser without scripts does."""

import re
from html import unescape
from typing import Any

from django.test import Client

from accounts.applications.models import Application
from accounts.applications.questions import STEPS
from accounts.applications.workflow import submission
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

ADDRESS = "/apply/opt-175b/"
ABSTRACT = "We measure how outlier features of the residual stream grow with scale. " * 3
PLAN = "On an encrypted volume of our cluster, readable by the two people named, deleted in May. "

#: What a valid form sends, but for the address and the licence's hash.
ANSWERS: dict[str, Any] = {
    "full_name": "Adaeze Obi",
    "org_name": "University of Example",
    "org_type": "university",
    "position": "doctoral",
    "country": "NO",
    "profile_url": "https://orcid.org/0000-0002-1825-0097",
    "title": "Outlier features at scale",
    "abstract": ABSTRACT,
    "commercial": "no",
    "storage_plan": PLAN,
    "noncommercial": "on",
    "licence_accept": "on",
}


class Filler:
    """One person's window on one application."""

    def __init__(self, client: Client, tier: Tier, person: User) -> None:
        self.client, self.tier = client, tier
        self.answers = {
            **ANSWERS,
            "work_email": person.email,
            "licence_sha256": factories.in_force(tier).text_sha256,
        }

    @property
    def application(self) -> Application:
        return Application.objects.latest("pk")

    def begin(self, country: str = "NO") -> Any:
        return self.client.post(f"/apply/{self.tier.slug}/", {"country": country})

    def place(self, step: str) -> str:
        base = f"/applications/{self.application.public_id}"
        return f"{base}/review/" if step == "review" else f"{base}/form/{step}/"

    def page(self, step: str, query: str = "") -> str:
        answer = self.client.get(self.place(step) + query)
        assert answer.status_code == 200, answer
        return str(answer.content.decode())

    def hidden(self, step: str, name: str = "seen") -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page(step))
        assert found is not None, f"{step} has no {name}"
        return unescape(found[1])

    def save(self, step: str, *, go: str = "next", seen: str | None = None, **changes: Any) -> Any:
        """Send one step with the answers that belong to it, some of them changed or left out."""
        keys = [*STEPS[step][1], *(["licence_sha256"] if step == "terms" else [])]
        sent = {key: self.answers[key] for key in keys if key in self.answers} | changes
        sent = {key: value for key, value in sent.items() if value is not None}
        seen = self.hidden(step) if seen is None else seen
        return self.client.post(self.place(step), {**sent, "seen": seen, "go": go})

    def fill(self, **changes: Any) -> None:
        """Begin, if need be, and save every step."""
        if not Application.objects.filter(applicant__email=self.answers["work_email"]).exists():
            self.begin()
        for step, (_, keys) in STEPS.items():
            mine = {key: value for key, value in changes.items() if key in keys}
            if step == "terms" and "licence_sha256" in changes:
                mine["licence_sha256"] = changes["licence_sha256"]
            extra = {key: value for key, value in changes.items() if key.startswith("extra_")}
            asked = {one.key: one.step for one in self.application.form.extras}
            mine |= {key: value for key, value in extra.items() if asked.get(key) == step}
            self.save(step, **mine)

    def jot(self, **changes: Any) -> None:
        """Have every answer kept at once, past the pages; some changed, or left out by None."""
        person = User.objects.get(email=self.answers["work_email"])
        draft = submission.start(person, self.tier)
        given = {key: True if value == "on" else value for key, value in self.answers.items()}
        kept = {key: value for key, value in (given | changes).items() if value is not None}
        submission.save_answers(draft, kept, by=person, seen_version=draft.answers_version)

    def submit(self) -> Any:
        page = self.page("review")
        sent = {
            name: (re.search(rf'name="{name}" value="([^"]*)"', page) or ["", ""])[1]
            for name in ("seen", "seen_version")
        }
        return self.client.post(self.place("review"), {**sent, "go": "submit"})
