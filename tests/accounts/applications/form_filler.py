"""Fill in the pages of an application like a browser without JavaScript."""

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

#: The answers of a valid form, without the address and the hash of the licence.
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


class FormFiller:
    """A browser window of one person, for one application."""

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

    def url(self, step: str) -> str:
        base = f"/applications/{self.application.public_id}"
        return f"{base}/review/" if step == "review" else f"{base}/form/{step}/"

    def page(self, step: str, query: str = "") -> str:
        response = self.client.get(self.url(step) + query)
        assert response.status_code == 200, response
        return str(response.content.decode())

    def hidden_value(self, step: str, name: str = "seen") -> str:
        match = re.search(rf'name="{name}" value="([^"]*)"', self.page(step))
        assert match is not None, f"{step} has no {name}"
        return unescape(match[1])

    def save(self, step: str, *, go: str = "next", seen: str | None = None, **changes: Any) -> Any:
        """Post one step with its answers; `changes` override them, None leaves one out."""
        keys = [*STEPS[step][1], *(["licence_sha256"] if step == "terms" else [])]
        data = {key: self.answers[key] for key in keys if key in self.answers} | changes
        data = {key: value for key, value in data.items() if value is not None}
        seen = self.hidden_value(step) if seen is None else seen
        return self.client.post(self.url(step), {**data, "seen": seen, "go": go})

    def fill_in(self, **changes: Any) -> None:
        """Start an application if there is none, and save every step."""
        if not Application.objects.filter(applicant__email=self.answers["work_email"]).exists():
            self.begin()
        for step, (_, keys) in STEPS.items():
            mine = {key: value for key, value in changes.items() if key in keys}
            if step == "terms" and "licence_sha256" in changes:
                mine["licence_sha256"] = changes["licence_sha256"]
            extra = {key: value for key, value in changes.items() if key.startswith("extra_")}
            steps = {one.key: one.step for one in self.application.form.custom_questions}
            mine |= {key: value for key, value in extra.items() if steps.get(key) == step}
            self.save(step, **mine)

    def store_draft(self, **changes: Any) -> None:
        """Store all answers without the pages; `changes` override them, None leaves one out."""
        person = User.objects.get(email=self.answers["work_email"])
        draft = submission.start(person, self.tier)
        answers = {key: True if value == "on" else value for key, value in self.answers.items()}
        stored = {key: value for key, value in (answers | changes).items() if value is not None}
        submission.save_answers(draft, stored, by=person, expected_version=draft.answers_version)

    def submit(self) -> Any:
        page = self.page("review")
        data = {
            name: (re.search(rf'name="{name}" value="([^"]*)"', page) or ["", ""])[1]
            for name in ("seen", "seen_version")
        }
        return self.client.post(self.url("review"), {**data, "go": "submit"})
