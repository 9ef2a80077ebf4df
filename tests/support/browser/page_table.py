"""Every page of the portal, by reader, and the routes that are not pages, with the reasons.

`test_every_page.py` fails for a route without an entry: add a new page with its URL and the text
of its main action to `PAGES`, or a reason to `NO_PAGES`. Lists, forms and records of the admin
follow from the registered models; `test_every_staff_page.py` opens them.
"""

from collections import defaultdict
from collections.abc import Iterator

from django.contrib import admin
from django.db import models
from django.test import RequestFactory
from django.urls import resolve, reverse

from accounts.users.models import User
from tests.support.http.routes import ROUTES

#: Reader -> URL, filled by `Site.values` -> the link, button or tab with which to continue.
PAGES: dict[str, dict[str, str]] = {
    "stranger": {
        "/": "Browse the catalogue",
        "/models": "Show",
        "/acme": "Filter these in the catalogue",
        "/facebook/opt-175b": "Issues",
        "/acme/open": "Files",
        "/acme/open/tree/main": "Filter",
        "/acme/open/blob/main/config.json": "Download 22 bytes",
        "/acme/open/blob/main/model.safetensors": "Download 4.2 kB",
        "/acme/card": "Versions",
        "/acme/card/commits/main": "Compare",
        "/acme/card/commit/{commit}": "Versions",
        "/acme/card/compare/v1...main?path=README.md": "Versions",
        "/acme/card/issues": "Report a problem with this checkpoint",
        "/acme/sharded": "Review the questions and apply",
        "/acme/sharded/tree/main": "Filter",
        "/acme/sharded/blob/main/checkpoint_last-model_part-0-shard0.pt": (
            "Review the questions and apply"
        ),
        "/licences/": "OPT-175B research licence",
        "/licences/opt-175b/": "Read the original",
        "/licences/opt-175b/{licence}/": "Read the original",
        "/tiers/": "OPT-175B",
        "/tiers/opt-175b/": "Apply",
        "/transparency/": "CSV",
        "/transparency/audit/": "check_proof.py",
        "/keys/": "audit trail",
        "/privacy/": "My access",
        "/report/": "Send the report",
        "/report/{report}/": "acme/open",
        "/findings/": "Report a problem",
        "/recalls/": "Recall of config.json",
        "/recalls/{recall}/": "All recalls",
        "/will-it-run": "Estimate",
        "/will-it-run?checkpoint=facebook/opt-175b": "Estimate",
        "/will-it-run?checkpoint=facebook/opt-175b&accelerator=t4-16&count=8": "Estimate",
        "/logbook/": "Show",
        "/logbook/?cause=hardware&order=newest": "Show",
        "/logbook/?q=nothing+matches": "Show all",
        "/logbook/{entry}/": "Training logbook",
        "/footprint/": "OPT paper, section 6",
        "/openness/": "OPT",
        "/openness/opt/": "footprint",
        "/apply/opt-175b/": "Sign in and apply",
        "/d/{folder}/": "download.sh",
        "/api/v1/docs": "OpenAPI document",
        "/accounts/login/": "Sign in",
        "/accounts/signup/": "Sign up",
        "/accounts/inactive/": "",
        "/accounts/confirm-email/": "Sign in",
        "/accounts/confirm-email/{confirmation}/": "Confirm",
        "/accounts/password/reset/": "Reset my password",
        "/accounts/password/reset/done/": "",
        "/accounts/password/reset/key/{reset}/": "Change password",
        "/accounts/password/reset/key/done/": "Sign in",
    },
    "holder": {
        "/acme/sharded": "Issues",
        "/apply/opt-175b/": "",
        "/applications/": "",
        "/access/": "Show me a link",
        "/access/downloads/?{downloads}": "All sessions",
        "/access/revoke/{issued_link}/": "Revoke the link",
        "/access/{grant}/give-back/": "Give up my access",
        "/access/data/": "Create an archive",
        "/access/events/": "My access",
        "/settings/tokens/": "Create token",
        "/settings/erase/": "Erase my account",
        "/accounts/email/": "Add e-mail",
        "/accounts/password/change/": "Change password",
        "/accounts/reauthenticate/": "Confirm",
        "/accounts/2fa/": "Manage passkeys",
        "/accounts/2fa/reauthenticate/": "Confirm",
        "/accounts/2fa/totp/deactivate/": "Deactivate",
        "/accounts/2fa/recovery-codes/": "Download codes",
        "/accounts/2fa/recovery-codes/generate/": "Generate",
        "/accounts/2fa/webauthn/": "Add a passkey",
        "/accounts/2fa/webauthn/keys/{key}/edit/": "Save name",
        "/accounts/2fa/webauthn/keys/{key}/remove/": "Remove it",
        "/accounts/sessions/": "Sign out here",
        "/accounts/logout/": "Sign out",
    },
    "draft": {
        "/applications/": "Continue the draft",
        "/applications/{draft}/": "Continue the draft",
        "/applications/{draft}/delete/": "Delete the draft",
        "/applications/{draft}/documents/extra_ethics/": "Upload the document",
        "/accounts/2fa/totp/activate/": "Activate",
        "/accounts/2fa/webauthn/add/": "Create passkey",
    },
    "returned": {
        "/applications/{returned}/": "Edit and submit again",
        "/applications/{returned}/form/you/": "Save and continue",
        "/applications/{returned}/form/project/": "Save and continue",
        "/applications/{returned}/form/plan/": "Save and continue",
        "/applications/{returned}/form/terms/": "Save and continue",
        "/applications/{returned}/review/": "Submit again",
    },
    "rejected": {"/applications/{rejected}/": "Appeal the decision"},
    "owner": {
        "/my-checkpoints/": "Create a checkpoint",
        "/my-checkpoints/new/": "Create the draft",
        "/my-checkpoints/lab/draft/": "Review and publish",
        "/my-checkpoints/lab/draft/card/": "Save as a draft",
        "/my-checkpoints/lab/draft/facts/": "Save",
        "/my-checkpoints/lab/draft/publish/{unpublished}/": "Publish",
        "/my-checkpoints/lab/draft/discard/{unpublished}/": "Discard it",
        "/my-checkpoints/lab/draft/delete/": "Delete it",
        "/my-checkpoints/acme/card/": "Add the tag",
        "/my-checkpoints/acme/card/withdraw/{commit}/": "Withdraw it",
        "/my-checkpoints/acme/card/fetched/": "",
    },
}
#: Pages of the admin other than lists and records of models; {names} are primary keys.
STAFF_PAGES = {
    "/admin/": "All records",
    "/admin/health/": "",
    "/admin/accounts/": "Grants",
    "/admin/accounts/user/{user}/password/": "Change password",
    "/admin/accounts/tier/{tier}/ready-made/": "",
    "/admin/weights/file/{file}/quarantine/": "Quarantine",
    "/admin/weights/blob/{blob}/lift/": "Verify, and lift if intact",
}
#: Reason -> routes without a page.
NO_PAGES: dict[str, set[str]] = {
    "answers a script with JSON, a feed, a text or a file": {
        *("healthz", "readyz", "documentation", "security-txt", "favicon", "credential-revoke"),
        *("weights:robots", "weights:sitemap", "weights:release-feed", "weights:logbook-feed"),
        *("weights:recall-feed", "weights:citation-file", "weights:key-file", "weights:image"),
        *("weights:manifest", "weights:manifest-signature", "weights:manifest-sums"),
        *("weights:export-fetch", "transparency-csv", "unknown-api-address"),
        *("delivery:file-link", "delivery:checkpoint-link", "/<name>/resolve/[\\s\\S]+"),
        *("accounts:audit-proof-script", "accounts:audit-head", "accounts:audit-head-of-size"),
        *("accounts:own-proof", "accounts:document", "mfa_download_recovery_codes"),
        *("mfa_login_webauthn", "admin:autocomplete", "admin:jsi18n"),
        *("admin:accounts_application_export", "admin:accounts_application_preview"),
    },
    "is posted to": {
        *("accounts:application-adopt", "accounts:application-withdraw"),
        *("accounts:application-appeal", "accounts:application-copy"),
        *("accounts:application-mail", "accounts:application-answer"),
        *("accounts:document-remove", "accounts:token-revoke", "weights:link-request"),
        *("admin:accounts_application_decide", "admin:weights_checkpoint_preview"),
        *("admin:weights_recall_fetchers", "weights:own-tag", "weights:own-tag-delete"),
    },
    "redirects to a page of the table": {
        *("delivery:link-folder-bare", "weights:compare-start", "account_set_password"),
        *("account_confirm_login_code", "admin:accounts_application_next"),
        *("admin:login", "admin:logout", "admin:password_change", "admin:password_change_done"),
    },
    "opens between password and second factor: test_passkeys.py": {
        *("mfa_authenticate", "mfa_reauthenticate_webauthn"),
    },
    "answers 404 without a sign-in provider: tests/accounts/users": {
        *("socialaccount_login_cancelled", "socialaccount_login_error", "socialaccount_signup"),
        *("socialaccount_connections", "/accounts/(?:3rdparty|social)/"),
        *(f"/accounts/social/{name}/" for name in ("login/cancelled", "login/error")),
        *(f"/accounts/social/{name}/" for name in ("signup", "connections")),
    },
    # Nameless, like the records' routes: see `_is_of_a_model`.
    "redirects an old address of Django's admin": {"/admin/<url>"},
}
_PROGRAMS = ("api:", "hub:", "uploads:", "xet:", "/api/")
_VERBS = ("changelist", "add", "history", "delete", "change")


def routes_without_an_entry() -> set[str]:
    """Routes with neither a page nor a reason."""
    listed = {route_of(pattern) for pages in [*PAGES.values(), STAFF_PAGES] for pattern in pages}
    listed |= {key for keys in NO_PAGES.values() for key in keys}
    keys = {route.key for route in ROUTES if not route.key.startswith(_PROGRAMS)}
    return {key for key in keys - listed if not _is_of_a_model(key)}


def reasons_without_a_route() -> set[str]:
    """Keys of `NO_PAGES` whose route no longer exists or is also a page."""
    pages = {route_of(pattern) for pages in [*PAGES.values(), STAFF_PAGES] for pattern in pages}
    keys = {key for keys in NO_PAGES.values() for key in keys}
    return (keys - {route.key for route in ROUTES}) | (keys & pages)


def route_of(pattern: str) -> str:
    """The name of the route of a URL whose {names} are not filled in."""
    samples: defaultdict[str, str] = defaultdict(lambda: "00000000-0000-0000-0000-000000000000")
    samples |= {
        "reset": "1-a",
        "key": "1",
        "tier": "1",
        "commit": "0" * 40,
        "unpublished": "0" * 40,
    }
    return str(resolve(pattern.format_map(samples).split("?")[0]).view_name)


def _is_of_a_model(key: str) -> bool:
    """True for a list, form or record of the admin, which `staff_addresses` covers."""
    names = {f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry}
    if key.startswith("/admin/"):
        return key.endswith("/<object_id>/")
    return key.removeprefix("admin:") in {f"{name}_{verb}" for name in names for verb in _VERBS}


def staff_addresses(records: dict[type[models.Model], models.Model], reader: User) -> Iterator[str]:
    """URLs of each model's list, form and record in the admin that `reader` may open."""
    request = RequestFactory().get("/admin/")
    request.user = reader
    for model, pages in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        if pages.has_view_permission(request):
            yield reverse(f"{name}_changelist")
        if pages.has_add_permission(request):
            yield reverse(f"{name}_add")
        if (record := records.get(model)) and pages.has_view_permission(request, record):
            verbs = ["change", "history"]
            verbs += ["delete"] if pages.has_delete_permission(request, record) else []
            yield from (reverse(f"{name}_{verb}", args=[record.pk]) for verb in verbs)
