"""Sign-in at ORCID, GitHub and Google: each only where its keys are set."""

from typing import Any

from portal.settings import environment

ORCID_URL = environment.origin("ORCID_URL", "https://orcid.org")
#: Its public records stand on a host of their own; a stand-in has both on one.
ORCID_API_URL = ORCID_URL.replace("https://", "https://pub.")
GITHUB_URL = environment.origin("GITHUB_URL", "https://github.com")

#: provider -> (its Django app, client id and secret, the origin that people are sent to)
_KNOWN: dict[str, tuple[str, tuple[str, str], str]] = {
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
_SET_UP = {name: facts for name, facts in _KNOWN.items() if facts[1][0]}

SOCIAL_APPS = [app for app, _, _ in _SET_UP.values()]
#: Where each provider's form leads: only its page may send the browser there.
SOCIAL_ORIGINS = {name: origin for name, (_, _, origin) in _SET_UP.items()}
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    name: {"APP": {"client_id": keys[0], "secret": keys[1]}}
    for name, (_, keys, _) in _SET_UP.items()
}
if "github" in SOCIALACCOUNT_PROVIDERS and GITHUB_URL != "https://github.com":
    SOCIALACCOUNT_PROVIDERS["github"]["GITHUB_URL"] = GITHUB_URL
for _name in ("github", "google"):
    if _name in SOCIALACCOUNT_PROVIDERS:
        SOCIALACCOUNT_PROVIDERS[_name]["OAUTH_PKCE_ENABLED"] = True
if "google" in SOCIALACCOUNT_PROVIDERS:
    SOCIALACCOUNT_PROVIDERS["google"]["SCOPE"] = ["profile", "email"]

# An address at a provider never opens an account here that it was not linked to by its owner.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
