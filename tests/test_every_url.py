"""Every URL of the portal, requested by every kind of caller: only one gets gated bytes.

`BYTES`, `PREVIEWS` and `WORDS` together name all routes of ours. A route in none of them fails here
until somebody decides whether it sends a file's bytes or only text. The admin's and allauth's
routes are generated; they are requested like those of `WORDS`.
"""

from copy import deepcopy
from itertools import product
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.support import factories
from tests.support.http.addresses import addresses
from tests.support.http.callers import (
    CALLERS,
    FILES,
    PATH,
    REPO,
    STRANGERS,
    Answer,
    Person,
    World,
    ask,
    credentials,
    person,
)
from tests.support.http.routes import ROUTES, Route
from weights.publishing.models import File

pytestmark = [pytest.mark.one_database, pytest.mark.slow]

#: Routes by which a file's bytes may leave.
BYTES = {"hub:resolve", "hub:raw", "delivery:file-link", "delivery:checkpoint-link"}
#: Routes that show a file's bytes inside a page, to those who may fetch it.
PREVIEWS = {"weights:file-detail", "weights:compare", "weights:image"}
#: Routes of our own API, which returns URLs and never a file.
API = {
    *("api-root", "openapi-json", "openapi-view", "code_list", "code_detail"),
    *("checkpoint_list", "checkpoint_detail", "revision_list", "file_list"),
    *("accelerator_list", "hardware_fit", "footprint", "openness"),
    *("draft_list", "draft_publish", "draft_discard"),
    *("plan", "dry_run", "known_file", "file_link"),
    *("link_list", "link_request", "link_detail", "link_revoke"),
    *(
        "issue_list",
        "recall_list",
        *("tier_list", "tier_detail", "tier_changes"),
        "grant_list",
        "grant_surrender",
        "licence_accept",
        "application_list",
        "application_create",
        "application_detail",
    ),
    *("answers_save", "application_submit", "application_withdraw", "application_copy"),
    "application_appeal",
    *("application_adopt", "remark_answer", "document_send", "document_read", "document_remove"),
    "transparency_numbers",
    "key_list",
    *("head_list", "head_consistency", "audit_rows", "audit_proof"),
}
#: Routes that answer with pages or JSON, never with a file's bytes.
WORDS = {
    "hub:whoami",
    "hub:browser-login",
    "hub:model-list",
    "hub:model-info",
    "hub:revision-info",
    "hub:tree",
    "hub:paths-info",
    "hub:gguf-manifest",
    "hub:refs",
    "hub:commits",
    "hub:auth-check",
    "hub:auth-check-write",
    *("hub:repository-create", "hub:repository-delete", "hub:repository-move"),
    *("hub:repository-settings", "hub:validate-yaml", "hub:lfs-files"),
    *("hub:preupload", "hub:commit", "hub:branch", "hub:tag", "hub:super-squash"),
    *("xet:write-token", "xet:xorb", "xet:xorb-grant", "xet:xorb-commit", "xet:shard"),
    "xet:telemetry",
    "weights:commit-detail",
    "hub:access-requests",
    "hub:access-request-handle",
    "hub:access-request-grant",
    "hub:other-kind",
    "hub:other-kind-file",
    "hub:unknown-address",
    *(f"uploads:{name}" for name in ("batch", "verify", "object", "part", "completion")),
    "/api/models/<name>",
    "/api/models/<name>/(?:revision|tree|paths-info|refs|commits|auth-check|user-access-request"
    "|settings|preupload|commit|branch|tag|super-squash|lfs-files)(?:/[\\s\\S]*)?",
    "/<name>/resolve/[\\s\\S]+",
    "delivery:link-folder",
    "delivery:link-folder-bare",
    *(f"api:{name}" for name in API),
    "unknown-api-address",
    "credential-revoke",
    "transparency-csv",
    "accounts:transparency",
    *("accounts:audit", "accounts:audit-proof-script", "accounts:audit-head"),
    *("accounts:audit-head-of-size", "accounts:own-events", "accounts:own-proof"),
    "accounts:privacy",
    "accounts:account-erase",
    "weights:export-list",
    "weights:export-fetch",
    "healthz",
    "readyz",
    "security-txt",
    "documentation",
    "weights:org-detail",
    *("favicon", "weights:robots", "weights:sitemap", "weights:release-feed"),
    "accounts:tier-list",
    "accounts:tier-detail",
    "accounts:licence-list",
    "accounts:licence-detail",
    "accounts:licence-version",
    "accounts:application-create",
    "accounts:application-list",
    "accounts:application-detail",
    "accounts:application-step",
    "accounts:application-review",
    "accounts:application-adopt",
    "accounts:application-withdraw",
    "accounts:grant-surrender",
    "accounts:application-copy",
    "accounts:application-appeal",
    "accounts:application-delete",
    "accounts:application-mail",
    "accounts:application-answer",
    "accounts:document-add",
    "accounts:document",
    "accounts:document-remove",
    "accounts:token-list",
    "accounts:token-revoke",
    "weights:home",
    "weights:checkpoint-list",
    "weights:report-create",
    "weights:report-detail",
    "weights:finding-list",
    *("weights:logbook-list", "weights:logbook-feed", "weights:logbook-entry"),
    *("weights:footprint-list", "weights:openness-list", "weights:openness-detail"),
    "weights:citation-file",
    "weights:recall-list",
    "weights:recall-feed",
    "weights:recall-detail",
    *("weights:key-list", "weights:key-file"),
    *("weights:manifest", "weights:manifest-signature", "weights:manifest-sums"),
    *("weights:own-list", "weights:own-create", "weights:own-detail", "weights:own-card"),
    *("weights:own-facts", "weights:own-delete", "weights:own-tag", "weights:own-tag-delete"),
    *("weights:own-fetched", "weights:own-publish", "weights:own-discard", "weights:own-withdraw"),
    "weights:access",
    "weights:download-list",
    "weights:link-request",
    "weights:link-revoke",
    "weights:file-list",
    "weights:will-it-run",
    "weights:checkpoint-detail",
    *("weights:version-list", "weights:compare-start", "weights:checkpoint-issues"),
}


@pytest.fixture(scope="module")
def shared_world(shared_setup: DjangoDbBlocker) -> World:
    with shared_setup.unblock():
        tier = factories.tier("opt-175b")
        revision = factories.published(REPO, tier, FILES)
        people = {name: person(name, tier, revision) for name in CALLERS}
        for caller in people.values():
            assert not caller.user or caller.cookies  # they sign in once
        return World(revision, people)


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)


# -- the routes -------------------------------------------------------------------------


@pytest.mark.requirement("GT-1")
def test_every_route_is_in_the_table() -> None:
    ours = {route.key for route in ROUTES if not route.is_generated}
    named = [*BYTES, *PREVIEWS, *WORDS]
    assert ours - set(named) == set(), "say in this file whether these routes give bytes"
    assert set(named) - ours == set(), "these routes are gone"
    assert len(set(named)) == len(named)


# -- what must hold ---------------------------------------------------------------------


@pytest.mark.requirement("GT-1")
@pytest.mark.parametrize("name", STRANGERS)
def test_no_route_gives_gated_bytes_to_anyone_else(world: World, name: str) -> None:
    caller = world.people[name]
    for route in ROUTES:
        if route.is_generated:  # these are walked with all their addresses by staff below
            address = next(addresses(route, world, caller))
            assert_safe(ask(caller, credentials(caller)[0], "GET", address), address)
            continue
        methods = methods_of(route)
        for address in addresses(route, world, caller):
            for credential, method in product(credentials(caller), methods):
                answer = ask(caller, credential, method, address)
                assert_safe(answer, f"{credential}: {method} {address}")


def methods_of(route: Route) -> list[str]:
    """A response to HEAD has no body; its headers matter if the body would be a file."""
    return ["GET", "HEAD", "POST"] if route.key in BYTES | PREVIEWS else ["GET", "POST"]


def assert_safe(answer: Answer, asked: str) -> None:
    assert not answer.holds_the_secret, asked
    assert answer.response.status_code < 500, asked


@pytest.mark.parametrize("key", sorted(BYTES))
def test_the_approved_gets_the_bytes_by_each_route_that_gives_them(world: World, key: str) -> None:
    caller = world.people["approved"]
    route = next(route for route in ROUTES if route.key == key)
    # The raw address of the weights gives their LFS pointer.
    wanted = FILES["config.json" if key == "hub:raw" else PATH]
    for credential in credentials(caller):
        answers = [ask(caller, credential, "GET", one) for one in addresses(route, world, caller)]
        assert any(answer.body == wanted for answer in answers), credential


@pytest.mark.requirement("GT-1")
def test_for_the_approved_too_bytes_leave_by_those_routes_alone(world: World) -> None:
    caller = world.people["approved"]
    for route in ROUTES:
        if route.key in BYTES | PREVIEWS or route.is_generated:
            continue
        for address in addresses(route, world, caller):
            for credential in credentials(caller):
                assert_safe(ask(caller, credential, "GET", address), f"{credential}: {address}")


@pytest.mark.requirement("TK-7")
def test_a_preview_is_for_the_approved_and_their_session(world: World) -> None:
    caller = world.people["approved"]
    address = f"/{REPO}/blob/main/config.json"
    assert ask(caller, "session", "GET", address).holds_the_secret
    assert not ask(caller, "token", "GET", address).holds_the_secret


@pytest.mark.requirement("GT-4")
@pytest.mark.parametrize("key", sorted(BYTES))
@pytest.mark.parametrize("name", STRANGERS)
def test_a_refusal_reveals_nothing_about_the_file(world: World, name: str, key: str) -> None:
    """Neither length nor entity tag, whatever the request (docs/requirements.md, GT-4)."""
    caller = world.people[name]
    route = next(route for route in ROUTES if route.key == key)
    file = world.file
    questions: list[dict[str, str]] = [
        {},
        {"Range": "bytes=0-1"},
        {"Range": "bytes=999999-"},
        {"If-None-Match": f'"{file.etag}"'},
        {"If-None-Match": "*"},
        {"If-Match": '"x"'},
    ]
    address = next(addresses(route, world, caller))
    for credential, method in product(credentials(caller), ["GET", "HEAD"]):
        for headers in questions:
            answer = ask(caller, credential, method, address, **headers)
            assert_says_nothing(answer, file, f"{credential}: {method} {address} {headers}")


def assert_says_nothing(answer: Answer, file: File, asked: str) -> None:
    response: Any = answer.response
    assert response.status_code in {401, 403, 404, 410}, asked
    told = {name.lower(): value for name, value in response.headers.items()}
    assert not {"etag", "x-linked-etag", "x-linked-size", "content-range"} & set(told), asked
    everything = " ".join([*told.values(), answer.body.decode(errors="replace")])
    assert file.sha256 not in everything, asked
    assert told.get("content-length") != str(file.size), asked


@pytest.mark.requirement("GT-1")
def test_the_whole_admin_shows_no_gated_bytes(world: World) -> None:
    """A superuser with every role, but without a grant."""
    user = factories.staff("member", Role.ADMINISTRATOR)
    for role in Role:
        RoleAssignment.objects.assign(user, role)
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    caller = Person("staff", User.objects.get(pk=user.pk), None, "", "")
    for route in ROUTES:
        if not (route.is_generated or route.key in BYTES | PREVIEWS):
            continue
        for address in addresses(route, world, caller):
            assert_safe(ask(caller, "session", "GET", address), address)
