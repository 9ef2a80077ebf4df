"""A file listing names the revision that last changed each file."""

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.support import factories

pytestmark = pytest.mark.django_db


def last_commits(client: Client, repo_id: str, rest: str = "") -> dict[str, str]:
    address = f"/api/models/{repo_id}/tree/main{rest}?recursive=true&expand=true"
    return {one["path"]: one["lastCommit"]["id"] for one in client.get(address).json()}


def test_each_entry_names_the_revision_that_changed_it_last(
    client: Client, store: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    first = factories.published("acme/line", files={"a": b"1", "b/c": b"1", "d/e": b"1"})
    second = factories.published("acme/line", files={"a": b"1", "b/c": b"2", "d/e": b"1"})
    third = factories.published("acme/line", files={"a": b"1", "b/c": b"2", "d/f": b"1"})
    with django_assert_max_num_queries(6):
        payload = last_commits(client, "acme/line")
    expected = {"a": first, "b": second, "b/c": second, "d": third, "d/f": third}
    assert payload == {path: revision.sha for path, revision in expected.items()}
    assert last_commits(client, "acme/line", "/b") == {"b/c": second.sha}
    form = {"paths": ["a", "b"], "expand": "true"}
    posted = client.post("/api/models/acme/line/paths-info/main", form).json()
    assert [one["lastCommit"]["title"] for one in posted] == ["Publish", "Publish"]
    plain = client.get("/api/models/acme/line/tree/main").json()
    assert not any("lastCommit" in one for one in plain)
