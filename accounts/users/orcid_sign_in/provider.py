"""The provider, which reads an ORCID record."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.orcid.provider import OrcidProvider as AllauthOrcidProvider
from allauth.socialaccount.providers.orcid.provider import extract_from_dict

from accounts.users.orcid_sign_in.views import OrcidAdapter


class OrcidProvider(AllauthOrcidProvider):
    name = "ORCID"
    oauth2_adapter_class = OrcidAdapter

    @classmethod
    def get_package(cls) -> str:
        return "accounts.users.orcid_sign_in"

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        """Return the record's public addresses, marked as verified if ORCID verified them."""
        emails = extract_from_dict(data, ["person", "emails", "email"]) or []
        return [
            EmailAddress(
                email=one["email"],
                verified=one.get("verified") is True,
                primary=one.get("primary") is True,
            )
            for one in emails
            if one.get("email")
        ]


provider_classes = [OrcidProvider]
