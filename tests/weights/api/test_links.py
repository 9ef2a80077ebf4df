"""Checkpoint links and file links in the API."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ROOT, ApiClient, response_json
from weights.delivery import links
from weights.delivery.models import CheckpointLink
from weights.publishing.models import Revision

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

ASKED = {"repo": "acme/gated"}
FILE = {"repo": "acme/gated", "path": "config.json"}


@pytest.fixture
def script(holder: User) -> ApiClient:
    return ApiClient(holder, "read-gated")


def test_a_link_is_requested_followed_and_revoked(gated: Revision, script: ApiClient) -> None:
    response = script.send("POST", "/links", ASKED)
    assert response.status_code == 202
    where = urlsplit(response["Location"]).path.removeprefix(ROOT)
    queued = script.get(where)
    assert (queued["state"], queued["live"], queued["revision"]) == ("queued", False, None)
    link = CheckpointLink.objects.get(public_id=queued["id"])
    links.issue(link.pk)
    issued = script.get(where)
    assert (issued["state"], issued["live"], issued["revision"]) == ("issued", True, gated.sha)
    assert script.get("/links") == [issued]
    revoked = script.post(f"{where}/revoke")
    assert revoked["revoked_at"] is not None
    assert not revoked["live"]
    assert script.post(f"{where}/revoke") == revoked


def test_only_callers_whom_the_gate_allows_get_a_link(
    gated: Revision, holder: User, other_person: User
) -> None:
    assert ApiClient().post("/links", ASKED, 401)["code"] == "login_required"
    assert ApiClient(holder).post("/links", ASKED, 403)["code"] == "token_scope"
    elsewhere = ApiClient(holder, "read-gated", repositories=["acme/other"])
    assert elsewhere.post("/links", ASKED, 403)["code"] == "token_scope"
    refused = ApiClient(other_person, "read-gated").post("/links", ASKED, 403)
    assert refused["code"] == "no_application"
    assert refused["next_step"]["url"].endswith(f"/apply/{gated.checkpoint.tier.slug}/")
    assert not CheckpointLink.objects.exists()


def test_an_unknown_checkpoint_has_no_links(gated: Revision, script: ApiClient) -> None:
    assert script.post("/links", {"repo": "acme/no"}, 404)["code"] == "repository_not_found"


@pytest.mark.requirement("AC-8")
def test_three_links_a_day_are_enough(gated: Revision, script: ApiClient) -> None:
    for _ in range(3):
        link = script.post("/links", ASKED, 202)
        links.issue(CheckpointLink.objects.get(public_id=link["id"]).pk)
    refused = script.send("POST", "/links", ASKED)
    assert response_json(refused, 429)["code"] == "quota"
    assert 23 * 3600 < int(refused["Retry-After"]) <= 24 * 3600


@pytest.mark.requirement("WB-8")
def test_links_of_others_do_not_exist(
    gated: Revision, script: ApiClient, other_person: User, gated_tier: Tier
) -> None:
    factories.grant(other_person, gated_tier)
    theirs = script.post("/links", ASKED, 202)["id"]
    other = ApiClient(other_person, "read-gated")
    assert other.get("/links") == []
    assert other.get(f"/links/{theirs}", 404)["code"] == "link_not_found"
    assert other.post(f"/links/{theirs}/revoke", status=404)["code"] == "link_not_found"
    assert ApiClient().get("/links", 401)["code"] == "login_required"
    assert not CheckpointLink.objects.exclude(revoked_at=None).exists()


def test_a_file_link_opens_the_file_without_a_token(gated: Revision, script: ApiClient) -> None:
    made = script.post("/file-links", FILE | {"seconds": 60}, 201)
    parts = urlsplit(made["url"])
    response: Any = Client().get(f"{parts.path}?{parts.query}")
    assert b"".join(response) == factories.SMALL_MODEL["config.json"]


def test_a_file_link_asks_the_gate(gated: Revision, holder: User, other_person: User) -> None:
    assert ApiClient().post("/file-links", FILE, 401)["code"] == "login_required"
    assert ApiClient(holder).post("/file-links", FILE, 403)["code"] == "token_scope"
    stranger = ApiClient(other_person, "read-gated")
    assert stranger.post("/file-links", FILE, 403)["code"] == "no_application"
    assert stranger.post("/file-links", FILE | {"path": "no"}, 403)["code"] == "no_application"


def test_a_file_link_names_what_is_missing(gated: Revision, script: ApiClient) -> None:
    ask = script.post
    assert ask("/file-links", FILE | {"path": "no"}, 404)["code"] == "entry_not_found"
    assert ask("/file-links", FILE | {"revision": "v9"}, 404)["code"] == "revision_not_found"
    assert ask("/file-links", FILE | {"repo": "a/b"}, 404)["code"] == "repository_not_found"
    assert ask("/file-links", FILE | {"seconds": 0}, 422)["code"] == "bad_lifetime"
    assert ask("/file-links", FILE | {"seconds": 3601}, 422)["code"] == "bad_lifetime"


def test_the_list_of_links_costs_the_same_however_long(
    gated: Revision, script: ApiClient, holder: User, django_assert_num_queries: Any
) -> None:
    for _ in range(7):
        CheckpointLink.objects.create(
            holder=holder, checkpoint=gated.checkpoint, cause=CheckpointLink.Cause.REQUEST
        )
    script.get("/grants")  # the token's use is noted once a minute
    with django_assert_num_queries(2):
        assert len(script.get("/links")) == 7
