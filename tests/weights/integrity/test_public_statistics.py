"""The state of the stored bytes is public, and no number reveals a private checkpoint."""

import csv
import io
from datetime import UTC, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.support import factories
from weights.integrity import public_statistics
from weights.integrity.models import VerificationRun
from weights.recalls.models import Recall
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier", "store")]


def told(client: Client) -> dict[str, list[dict[str, object]]]:
    cache.clear()
    found: dict[str, list[dict[str, object]]] = client.get("/api/v1/transparency/").json()
    return found


def checked(blob: Blob, result: str, size: int) -> None:
    now = timezone.now()
    VerificationRun.objects.create(blob=blob, result=result, bytes_read=size, finished_at=now)


def test_states_checks_and_recalls_are_counted(client: Client) -> None:
    files = {"a.bin": b"a" * 10, "b.bin": b"b" * 20, "c.bin": b"c" * 30, "d.bin": b"d" * 40}
    revision = factories.published("acme/model", files=files)
    a, b, c = (file.blob for file in revision.files.order_by("path")[:3])
    day_ago = timezone.now() - timedelta(days=1)
    Blob.objects.filter(pk=a.pk).update(last_verified_at=day_ago)
    Blob.objects.filter(pk=b.pk).update(state=Blob.State.QUARANTINED)
    Blob.objects.filter(pk=c.pk).update(state=Blob.State.HASHING)
    Recall.objects.create(blob=b, cause="check", reason="It had changed.")
    checked(a, "verified", 10)
    checked(b, "mismatch", 20)
    checked(b, "abandoned", 5)
    [now] = told(client)["integrity"]
    assert (now["blobs"], now["bytes"]) == (4, 100)
    assert (now["verified"], now["being_checked"], now["quarantined"]) == (2, 1, 1)
    assert (now["never_read"], now["missing"]) == (1, 0)
    assert str(now["oldest_read_at"])[:19] == f"{day_ago:%Y-%m-%dT%H:%M:%S}"
    assert (now["bytes_read"], now["scrub_days"]) == (35, 30)
    assert (now["recalls_open"], now["recalls_repaired"]) == (1, 0)
    [month] = told(client)["checks"]
    assert month == {
        "month": f"{timezone.now():%Y-%m}",
        "checks": 2,
        "bytes_read": 30,
        "verified": 1,
        "mismatch": 1,
        "missing": 0,
        "unreadable": 0,
    }
    [day] = told(client)["days"]
    assert day == {
        "day": f"{timezone.now().astimezone(UTC):%Y-%m-%d}",
        "blobs": 2,
        "bytes_read": 30,
        "failures": 1,
    }


def test_a_private_checkpoint_changes_no_number(client: Client) -> None:
    factories.published("acme/model", files={"a.bin": b"a"})
    before = told(client)
    private = factories.published("acme/secret", files={"s.bin": b"secret"}, private=True)
    blob = private.files.get().blob
    checked(blob, "verified", 6)
    Recall.objects.create(blob=blob, cause="check", reason="It had changed.")
    after = told(client)
    assert {k: after[k] for k in ("integrity", "checks", "days")} == {
        k: before[k] for k in ("integrity", "checks", "days")
    }


def test_page_json_and_csv_say_the_same(client: Client) -> None:
    revision = factories.published("acme/model", files={"a.bin": b"a" * 10})
    checked(revision.files.get().blob, "verified", 10)
    now = told(client)
    for table, columns in public_statistics.TABLES.items():
        text = client.get(f"/api/v1/transparency/{table}.csv").text
        [row] = csv.DictReader(io.StringIO(text))
        assert tuple(row) == columns
        assert row["bytes_read"] == str(now[table][0]["bytes_read"])
    page = client.get("/transparency/").text
    assert "Stored files" in page
    assert "1 of 1" in page


def test_an_empty_portal_has_its_zeros(client: Client) -> None:
    [now] = told(client)["integrity"]
    assert (now["blobs"], now["bytes"], now["last_read_at"]) == (0, 0, None)
    assert told(client)["checks"] == told(client)["days"] == []
    assert client.get("/transparency/").status_code == 200


def test_it_costs_the_same_number_of_queries_however_many_files_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(3):
        factories.published(f"acme/model-{number}")
        with django_assert_num_queries(8):
            public_statistics.tables()
