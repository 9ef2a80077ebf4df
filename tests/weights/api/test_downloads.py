"""Plans, dry runs of the gate and look-ups by hash."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.ledger.models import Download
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def fetch(address: str) -> bytes:
    parts = urlsplit(address)
    response: Any = Client().get(f"{parts.path}?{parts.query}")
    assert response.status_code == 200, address
    return b"".join(response)


# -- plans ------------------------------------------------------------------------------


def test_a_plan_holds_an_address_for_every_file_and_the_time(gated: Revision, holder: User) -> None:
    payload = ApiClient(holder, "read-gated").get("/checkpoints/acme/gated/plan?rate=1000")
    assert (payload["revision"], payload["count"]) == (gated.sha, 3)
    assert payload["bytes"] == gated.total_bytes == sum(file["size"] for file in payload["files"])
    assert payload["seconds"] == -(-gated.total_bytes // 1000)
    for file in payload["files"]:
        assert fetch(file["url"]) == factories.SMALL_MODEL[file["path"]]
        left = datetime.fromisoformat(file["expires"]) - timezone.now()
        assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_addresses_of_a_plan_end_with_the_grant(gated: Revision, gated_tier: Tier) -> None:
    user = factories.person()
    grant = factories.grant(user, gated_tier, until=timezone.now() + timedelta(minutes=5))
    payload = ApiClient(user, "read-gated").get("/checkpoints/acme/gated/plan")
    ends = {datetime.fromisoformat(file["expires"]) for file in payload["files"]}
    assert {abs(end - grant.expires_at) < timedelta(seconds=1) for end in ends} == {True}
    assert payload["seconds"] is None


def test_anyone_plans_an_open_download(store: Path) -> None:
    factories.published("acme/open")
    payload = ApiClient().get("/checkpoints/acme/open/plan")
    assert fetch(payload["files"][0]["url"]) == factories.SMALL_MODEL[payload["files"][0]["path"]]


def test_a_plan_for_a_gated_checkpoint_asks_the_gate(
    gated: Revision, holder: User, other_person: User
) -> None:
    path = "/checkpoints/acme/gated/plan"
    assert ApiClient().get(path, 401)["code"] == "login_required"
    assert ApiClient(holder).get(path, 403)["code"] == "token_scope"
    elsewhere = ApiClient(holder, "read-gated", repositories=["acme/other"])
    assert elsewhere.get(path, 403)["code"] == "token_scope"
    refused = ApiClient(other_person, "read-gated").send("GET", path)
    assert refused["X-Refusal-Code"] == "no_application"
    assert not AuditEvent.objects.filter(action="download_plan.made").exists()


def test_a_plan_gives_no_address_for_a_file_that_failed_its_check(
    gated: Revision, holder: User
) -> None:
    bad = gated.files.get(path="config.json").blob
    Blob.objects.filter(pk=bad.pk).update(state=Blob.State.QUARANTINED)
    files = ApiClient(holder, "read-gated").get("/checkpoints/acme/gated/plan")["files"]
    by_path = {file["path"]: file for file in files}
    assert by_path["config.json"]["url"] is None
    assert by_path["config.json"]["code"] == "file_quarantined"
    assert by_path["README.md"]["url"]


def test_a_plan_is_on_record(gated: Revision, holder: User) -> None:
    ApiClient(holder, "read-gated").get("/checkpoints/acme/gated/plan")
    event = AuditEvent.objects.get(action="download_plan.made")
    assert event.actor_id == holder.public_id
    assert event.details["files"] == 3


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "1e9", "9" * 30])
def test_a_rate_is_a_whole_number_of_bytes(store: Path, rate: str) -> None:
    factories.published("acme/open")
    payload = ApiClient().get(f"/checkpoints/acme/open/plan?rate={rate}", 422)
    assert payload["errors"][0]["field"] == "rate"


def test_a_plan_costs_the_same_for_any_number_of_files(
    store: Path, gated_tier: Tier, holder: User, django_assert_max_num_queries: Any
) -> None:
    many = {f"part-{number}.bin": b"%d" % number for number in range(40)}
    factories.published("acme/gated", gated_tier, many)
    script = ApiClient(holder, "read-gated")
    script.get("/checkpoints/acme/gated")  # the token's use is noted once a minute
    with django_assert_max_num_queries(10):
        assert script.get("/checkpoints/acme/gated/plan")["count"] == 40


# -- decisions without a download ----------------------------------------------------------------


def ask(script: ApiClient, path: str = "config.json") -> Any:
    return script.get(f"/gate?repo=acme/gated&path={path}")


def test_a_dry_run_equals_the_decision_on_a_download(
    gated: Revision, holder: User, other_person: User, gated_tier: Tier
) -> None:
    allowed = ask(ApiClient(holder, "read-gated"))
    assert (allowed["allowed"], allowed["code"], allowed["status"]) == (True, None, 200)
    assert allowed["sha256"] == gated.files.get(path="config.json").sha256
    assert ask(ApiClient(holder))["code"] == "token_scope"
    stranger = ask(ApiClient())
    assert (stranger["allowed"], stranger["code"], stranger["status"]) == (
        False,
        "login_required",
        401,
    )
    assert stranger["next_step"]["url"].endswith(f"/apply/{gated_tier.slug}/")
    assert ask(ApiClient(other_person, "read-gated"))["code"] == "no_application"
    factories.submitted(other_person, gated_tier)
    waiting = ask(ApiClient(other_person, "read-gated"))
    assert waiting["code"] == "in_review"
    assert waiting["next_step"]["url"].endswith("/applications/")


def test_a_dry_run_reveals_no_path_to_outsiders(gated: Revision) -> None:
    there, missing = ask(ApiClient()), ask(ApiClient(), "no.bin")
    assert there == missing
    assert there["sha256"] is None


def test_a_dry_run_names_what_is_missing_to_the_entitled(gated: Revision, holder: User) -> None:
    script = ApiClient(holder, "read-gated")
    assert ask(script, "no.bin")["code"] == "entry_not_found"
    assert script.get("/gate?repo=acme/gated&revision=v9&path=a")["code"] == "revision_not_found"
    assert script.get("/gate?repo=acme/none")["code"] == "repository_not_found"
    assert script.get("/gate?repo=acme/gated")["allowed"]
    assert script.get("/gate", 422)["errors"][0]["field"] == "repo"


def test_a_dry_run_writes_nothing_into_the_ledger(
    gated: Revision, holder: User, other_person: User
) -> None:
    for script in (ApiClient(), ApiClient(holder, "read-gated"), ApiClient(other_person)):
        ask(script)
    assert Download.objects.count() == 0


# -- look-up by hash --------------------------------------------------------------------


def test_a_hash_finds_every_file_and_its_terms(gated: Revision, gated_tier: Tier) -> None:
    factories.published("acme/open", files={"copy.json": factories.SMALL_MODEL["config.json"]})
    file = gated.files.get(path="config.json")
    payload = ApiClient().get(f"/files/{file.sha256.upper()}")
    assert (payload["sha256"], payload["size"], payload["state"]) == (
        file.sha256,
        file.size,
        "verified",
    )
    gated_place, open_place = payload["places"]
    assert (gated_place["repo"], gated_place["path"]) == ("acme/gated", "config.json")
    assert gated_place["tier"]["mode"] == "reviewed"
    assert gated_place["refs"] == ["main"]
    in_force = factories.in_force(gated_tier)
    assert gated_place["terms"]["text_sha256"] == in_force.text_sha256
    assert (open_place["repo"], open_place["path"]) == ("acme/open", "copy.json")


@pytest.mark.requirement("GT-3")
def test_a_hash_in_an_invisible_checkpoint_is_unknown(
    store: Path, applicant: User, release_owner: User
) -> None:
    file = factories.published("acme/private", private=True).files.first()
    assert file is not None
    path = f"/files/{file.sha256}"
    unknown = ApiClient().get(f"/files/{'0' * 64}", 404)
    for caller in (ApiClient(), ApiClient(applicant)):
        assert caller.get(path, 404)["code"] == unknown["code"] == "file_unknown"
    assert ApiClient(release_owner, "read-gated").get(path)["total"] == 1


def test_a_file_of_an_unpublished_revision_is_unknown(gated: Revision) -> None:
    gated.state = Revision.State.PENDING
    gated.save()
    file = gated.files.first()
    assert file is not None
    assert ApiClient().get(f"/files/{file.sha256}", 404)["code"] == "file_unknown"


def test_an_invalid_hash_is_refused(db: None) -> None:
    for bad in ("abc", "g" * 64, "0" * 65, "0" * 63 + "٠"):
        assert ApiClient().get(f"/files/{bad}", 422)["errors"][0]["field"] == "sha256"


def test_a_look_up_costs_the_same_for_any_number_of_places(
    store: Path, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        revision = factories.published(tier=factories.tier(f"tier-{number}"))
    file = revision.files.first()
    assert file is not None
    path = f"/files/{file.sha256}"
    with django_assert_num_queries(4):
        assert ApiClient().get(path)["total"] == 5
