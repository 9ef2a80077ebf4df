"""The people, gated tier and checkpoint for the acts in this folder."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client

from accounts.applications.models import Application
from accounts.grants.models import Grant
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.totp import current_code
from weights.publishing.models import Revision

REPO = "acme/gated"


@dataclass
class World:
    """One client; `token` is set where a script sends a token instead of a session."""

    client: Client
    tier: Tier
    applicant: User
    token: str = ""
    #: What an act prepared, for the check of its effect.
    prepared: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def lead(self) -> User:
        return factories.staff("the-lead", Role.LEAD_REVIEWER)

    @cached_property
    def owner(self) -> User:
        return factories.staff("the-owner", Role.RELEASE_OWNER)

    @cached_property
    def administrator(self) -> User:
        return factories.staff("the-administrator", Role.ADMINISTRATOR)

    @cached_property
    def grant(self) -> Grant:
        return factories.grant(self.applicant, self.tier)

    @cached_property
    def application(self) -> Application:
        return factories.submitted(self.applicant, self.tier)

    @cached_property
    def revision(self) -> Revision:
        return factories.published(REPO, self.tier, {"w.bin": b"weights"})

    def post(self, path: str, data: Any = None) -> Any:
        return self.client.post(path, data)

    def post_json(self, path: str, data: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.post(path, data, content_type="application/json", headers=headers)

    def form(self, page: str, **changes: Any) -> dict[str, Any]:
        """The data of an admin page's form as it stands, with these changes."""
        initial = self.client.get(page).context["adminform"].form.initial
        data = {key: "" if value is None else value for key, value in initial.items()}
        data.pop("blocked_countries", None)
        return {**data, "questions-TOTAL_FORMS": 0, "questions-INITIAL_FORMS": 0, **changes}

    def add_totp(self) -> Authenticator:
        return totp.TOTP.activate(self.applicant, totp.generate_totp_secret()).instance

    def activate_totp(self) -> Any:
        """Post the code of an app to the page that showed its secret."""
        session = self.client.session
        session[totp.SECRET_SESSION_KEY] = secret = totp.generate_totp_secret()
        session.save()
        with current_code(secret) as code:
            return self.post("/accounts/2fa/totp/activate/", {"code": code})
