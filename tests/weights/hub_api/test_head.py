"""The revision `HEAD` is the default branch on every route with a revision."""

import time
from pathlib import Path

import pytest
import time_machine
from django.test import Client

from accounts.users.models import User
from tests.support import factories
from weights.publishing.models import Revision


@pytest.fixture
def nested(db: None, store: Path) -> Revision:
    return factories.published("acme/nested", files={"config.json": b"{}\n", "a/b.txt": b"b\n"})


@pytest.mark.parametrize(
    "address",
    [
        "/acme/nested/resolve/{}/config.json",
        "/api/models/acme/nested/revision/{}",
        "/api/models/acme/nested/tree/{}",
        "/api/models/acme/nested/tree/{}/a?recursive=true&expand=true",
        "/api/models/acme/nested/commits/{}",
        "/acme/nested/tree/{}",
        "/acme/nested/blob/{}/a/b.txt",
        "/acme/nested/commits/{}",
        "/api/v1/checkpoints/acme/nested/files?revision={}",
    ],
)
def test_head_reads_what_main_reads(client: Client, nested: Revision, address: str) -> None:
    # Pages show ages in minutes.
    with time_machine.travel(time.time(), tick=False):
        by_head = client.get(address.format("HEAD"), HTTP_HOST="localhost")
        by_main = client.get(address.format("main"), HTTP_HOST="localhost")
    assert (by_head.status_code, by_main.status_code) == (200, 200)
    assert by_head.getvalue() == by_main.getvalue()


def test_head_names_the_paths_of_main(client: Client, nested: Revision) -> None:
    form = {"paths": ["config.json"]}
    found = client.post("/api/models/acme/nested/paths-info/HEAD", form).json()
    assert [entry["path"] for entry in found] == ["config.json"]


def test_head_follows_main(client: Client, nested: Revision) -> None:
    newer = factories.published("acme/nested", files={"config.json": b"[]\n"})
    assert client.get("/api/models/acme/nested/revision/HEAD").json()["sha"] == newer.sha
    missing = client.get("/api/models/acme/nested/revision/head")
    assert (missing.status_code, missing["X-Error-Code"]) == (404, "RevisionNotFound")


def test_refs_do_not_list_head(client: Client, nested: Revision) -> None:
    refs = client.get("/api/models/acme/nested/refs").json()
    assert [branch["name"] for branch in refs["branches"]] == ["main"]
    assert refs["tags"] == []


def test_a_download_plan_of_head_is_that_of_main(
    client: Client, nested: Revision, applicant: User
) -> None:
    headers = {"Authorization": f"Bearer {factories.token(applicant)}"}
    address = "/api/v1/checkpoints/acme/nested/plan?revision="
    plans = [client.get(address + name, headers=headers) for name in ("HEAD", "main")]
    assert [plan.status_code for plan in plans] == [200, 200]
    assert {plan.json()["revision"] for plan in plans} == {nested.sha}
