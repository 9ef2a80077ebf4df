"""Checkpoints, revisions and manifests in the API."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

FILES = {f"model-{number:05}-of-00003.safetensors": b"%d" % number for number in (1, 2, 3)}


def test_anyone_lists_open_and_gated_checkpoints(store: Path, gated_tier: Tier) -> None:
    revision = factories.published("acme/gated", gated_tier)
    factories.published("acme/open")
    page = ApiClient().get("/checkpoints")
    assert page["total"] == 2
    assert page["next"] is None
    gated, opened = page["checkpoints"]
    assert (gated["repo"], gated["tier"]["mode"]) == ("acme/gated", "reviewed")
    assert (gated["revision"], gated["files"]) == (revision.sha, 3)
    assert (opened["repo"], opened["tier"]["mode"]) == ("acme/open", "open")


def test_a_list_is_searched_filtered_and_paged(store: Path, gated_tier: Tier) -> None:
    for name in ("one", "two", "three"):
        factories.published(f"acme/{name}")
    factories.published("acme/gated", gated_tier)
    ask = ApiClient().get
    assert [c["repo"] for c in ask("/checkpoints?search=TWO")["checkpoints"]] == ["acme/two"]
    assert ask(f"/checkpoints?tier={gated_tier.slug}")["total"] == 1
    assert ask("/checkpoints?published=false")["total"] == 0
    first = ask("/checkpoints?limit=3&tier=open")
    assert first["next"] is None
    first = ask("/checkpoints?limit=2&tier=open&published=true")
    rest = ask(first["next"].partition("/api/v1")[2])
    repos = [c["repo"] for page in (first, rest) for c in page["checkpoints"]]
    assert repos == ["acme/one", "acme/three", "acme/two"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "offset=-1", "offset=1e3", "published=maybe", "search=%00"]
)
def test_a_bad_query_names_its_field(db: None, query: str) -> None:
    payload = ApiClient().get(f"/checkpoints?{query}", 422)
    assert payload["code"] == "invalid_request"
    assert payload["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.requirement("GT-3")
def test_a_private_or_embargoed_checkpoint_looks_like_a_missing_one(
    store: Path, applicant: User, release_owner: User
) -> None:
    factories.published("acme/private", private=True)
    factories.published("acme/later", embargo_until=timezone.now() + timedelta(days=1))
    for caller in (ApiClient(), ApiClient(applicant)):
        assert caller.get("/checkpoints")["total"] == 0
        for repo in ("acme/private", "acme/later", "acme/none"):
            for rest in ("", "/revisions", "/files", "/plan"):
                payload = caller.get(f"/checkpoints/{repo}{rest}", 404)
                assert payload["code"] == "repository_not_found"
    staff = ApiClient(release_owner, "read-gated")
    assert staff.get("/checkpoints")["total"] == 2
    assert staff.get("/checkpoints/acme/private")["private"]


def test_a_checkpoint_has_its_facts_and_terms(store: Path, gated_tier: Tier) -> None:
    revision = factories.published("acme/gated", gated_tier, facts={"layers": {"value": 12}})
    payload = ApiClient().get("/checkpoints/acme/gated")
    licence = gated_tier.accepted_licence
    assert payload["facts"] == {"layers": {"value": 12}}
    assert payload["refs"] == {"main": revision.sha}
    assert payload["terms"]["text_sha256"] == factories.in_force(gated_tier).text_sha256
    assert payload["terms"]["url"].endswith(f"/licences/{licence.slug}/")


def test_an_entry_without_bytes_is_listed_but_has_no_manifest(
    store: Path, gated_tier: Tier
) -> None:
    factories.published("acme/bare", gated_tier)
    gated_tier.checkpoints.update(published_at=None)
    gated_tier.checkpoints.get().refs.all().delete()
    assert ApiClient().get("/checkpoints/acme/bare")["revision"] is None
    assert ApiClient().get("/checkpoints/acme/bare/files", 404)["code"] == "not_published"


def test_revisions_are_listed_newest_first(store: Path) -> None:
    old = factories.published("acme/open", files={"a.txt": b"1"})
    new = factories.published("acme/open", files={"a.txt": b"2"})
    hidden = factories.published("acme/open", files={"a.txt": b"3"})
    hidden.refs.update(revision=new)
    hidden.state = hidden.State.PENDING
    hidden.save()
    payload = ApiClient().get("/checkpoints/acme/open/revisions")
    assert [one["id"] for one in payload] == [new.sha, old.sha]
    assert [one["refs"] for one in payload] == [["main"], []]
    assert payload[0]["parent"] == old.sha
    assert ApiClient().get(f"/checkpoints/acme/open/files?revision={hidden.sha}", 404)


def test_a_manifest_is_paginated(store: Path, gated_tier: Tier) -> None:
    revision = factories.published("acme/gated", gated_tier, FILES)
    payload = ApiClient().get("/checkpoints/acme/gated/files?limit=2")
    assert (payload["revision"], payload["total"], payload["bytes"]) == (revision.sha, 3, 3)
    rest = ApiClient().get(payload["next"].partition("/api/v1")[2])
    files = payload["files"] + rest["files"]
    assert [file["path"] for file in files] == sorted(FILES)
    assert files[1]["sha256"] == revision.files.get(shard=2).sha256
    assert (files[1]["shard"], files[1]["size"]) == (2, 1)
    assert rest["next"] is None


def test_an_unknown_revision_is_named(store: Path) -> None:
    factories.published("acme/open")
    payload = ApiClient().get("/checkpoints/acme/open/files?revision=v9", 404)
    assert payload["code"] == "revision_not_found"


@pytest.mark.parametrize(
    "path", ["/checkpoints", "/checkpoints/acme/m0/files", "/checkpoints/acme/m0/revisions"]
)
def test_lists_cost_the_same_however_long(
    store: Path, path: str, django_assert_num_queries: Any
) -> None:
    for number in range(4):
        files = {f"{part}.txt": b"%d" % number for part in range(1 + 5 * number)}
        factories.published(f"acme/m{number}")
        factories.published("acme/m0", files=files)
    with django_assert_num_queries(
        {"checkpoints": 3, "files": 4, "revisions": 5}[path.split("/")[-1]]
    ):
        ApiClient().get(path)
