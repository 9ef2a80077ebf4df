"""The people, the tier and the checkpoint of these tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.test import Client

from accounts.applications.models import Application
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.publishing.models import Revision
from weights.storage.models import Blob

NEW = "another suite password 2"
REPO, PATH = "acme/gated", "model.safetensors"
NOTE = "This is a note of more than twenty characters."


@dataclass
class World:
    """Who and what the causes act on."""

    client: Client
    folder: Path
    applicant: User
    reviewer: User
    lead: User
    owner: User
    administrator: User
    tier: Tier
    revision: Revision

    def sign_in(self, password: str = factories.PASSWORD) -> None:
        self.client.post("/accounts/login/", {"login": "applicant", "password": password})

    def submitted(self) -> Application:
        return factories.submitted(self.applicant, self.tier)

    def granted(self) -> Grant:
        return factories.grant(self.applicant, self.tier)

    def token(self, *scopes: str) -> str:
        return factories.token(self.applicant, *scopes)

    def fetch(self, token: str = "", **headers: str) -> int:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        response = self.client.get(f"/{REPO}/resolve/main/{PATH}", headers=headers)
        if response.streaming:
            b"".join(response.streaming_content)  # type: ignore[attr-defined]
        return response.status_code

    @property
    def blob(self) -> Blob:
        return self.revision.files.get(path=PATH).blob


Cause = Callable[[World], object]
