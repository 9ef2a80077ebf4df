"""Sign-in with ORCID, GitHub and Google, each if its client id and secret are set."""

from typing import Any

from portal.settings import environment

environment.read_secrets(
    "ORCID_CLIENT_SECRET_FILE", "GITHUB_CLIENT_SECRET_FILE", "GOOGLE_CLIENT_SECRET_FILE"
)
ORCID_URL = environment.origin("ORCID_URL", "https://orcid.org")
#: The host of public records; in tests one server replaces both.
ORCID_API_URL = ORCID_URL.replace("https://", "https://pub.")
GITHUB_URL = environment.origin("GITHUB_URL", "https://github.com")

#: Provider -> (Django app, client id and secret, origin that people are redirected to).
_PROVIDERS: dict[str, tuple[str, tuple[str, str], str]] = {
    "orcid": (
        "accounts.users.orcid_sign_in",
        environment.pair("ORCID_CLIENT_ID", "ORCID_CLIENT_SECRET"),
        ORCID_URL,
    ),
    "github": (
        "allauth.socialaccount.providers.github",
        environment.pair("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"),
        GITHUB_URL,
    ),
    "google": (
        "allauth.socialaccount.providers.google",
        environment.pair("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"),
        "https://accounts.google.com",
    ),
}
_CONFIGURED = {name: provider for name, provider in _PROVIDERS.items() if provider[1][0]}

SOCIAL_APPS = [app for app, _, _ in _CONFIGURED.values()]
#: Provider -> the origin that its sign-in form may redirect to (content security policy).
SOCIAL_ORIGINS = {name: origin for name, (_, _, origin) in _CONFIGURED.items()}
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    name: {"APP": {"client_id": keys[0], "secret": keys[1]}}
    for name, (_, keys, _) in _CONFIGURED.items()
}
if "github" in SOCIALACCOUNT_PROVIDERS and GITHUB_URL != "https://github.com":
    SOCIALACCOUNT_PROVIDERS["github"]["GITHUB_URL"] = GITHUB_URL
for _name in ("github", "google"):
    if _name in SOCIALACCOUNT_PROVIDERS:
        SOCIALACCOUNT_PROVIDERS[_name]["OAUTH_PKCE_ENABLED"] = True
if "google" in SOCIALACCOUNT_PROVIDERS:
    SOCIALACCOUNT_PROVIDERS["google"]["SCOPE"] = ["profile", "email"]

# A provider's mail address does not sign in; the account's owner has to link the provider first.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
