"""Errors are refused before anything is copied; findings are stored with the revision."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.publishing import lint_findings
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier")]

SHARD = b"\x80\x02" + bytes(10_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two of three shards, with equal bytes."""
    root = tmp_path / "shards"
    root.mkdir()
    for number in (1, 3):
        (root / f"model-{number:05}-of-00003.bin").write_bytes(SHARD)
    return root


def publish(manage: Callable[..., str], folder: Path, *options: str) -> str:
    return manage("publish", str(folder), "acme/shards", "--tier", "open", *options)


def codes(revision: Revision) -> list[str]:
    return [one["code"] for one in revision.findings or []]


def test_a_folder_with_a_gap_is_refused_before_a_byte_is_stored(
    manage: Callable[..., str], folder: Path, store: Path
) -> None:
    with pytest.raises(CommandError) as refused:
        publish(manage, folder)
    assert "model-00002-of-00003.bin" in str(refused.value)
    assert "--accept-findings" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [path.name for path in store.rglob("*")] in ([], [".uploads"])
    assert not Checkpoint.objects.exists()
    assert not Blob.objects.exists()


@pytest.mark.slow
def test_it_is_published_with_accept_findings_which_are_stored(
    manage: Callable[..., str], folder: Path, store: Path
) -> None:
    sha = publish(manage, folder, "--accept-findings").strip()
    revision = Revision.objects.get(sha=sha)
    assert codes(revision) == ["shard_missing", "shard_duplicate"]
    event = AuditEvent.objects.get(action="revision.published")
    assert event.details["findings"] == ["shard_duplicate", "shard_missing"]


@pytest.mark.slow
def test_findings_are_printed_to_stderr_and_the_id_to_stdout(folder: Path, store: Path) -> None:
    (folder / "model-00002-of-00003.bin").write_bytes(SHARD[::-1])
    out, err = StringIO(), StringIO()
    call_command("publish", str(folder), "acme/shards", tier="open", stdout=out, stderr=err)
    assert out.getvalue().strip() == Revision.objects.get().sha
    (line,) = [line for line in err.getvalue().splitlines() if "the same content" in line]
    assert line.startswith("warning: ")
    assert "error:" not in err.getvalue()


@pytest.mark.slow
def test_a_sound_folder_is_checked_without_findings(
    manage: Callable[..., str], folder: Path, store: Path
) -> None:
    (folder / "model-00001-of-00003.bin").write_bytes(b"\x80\x021" + bytes(10_000))
    (folder / "model-00002-of-00003.bin").write_bytes(b"\x80\x022" + bytes(10_000))
    publish(manage, folder)
    assert Revision.objects.get().findings == []


def test_the_sweep_checks_earlier_revisions(store: Path, open_tier: Tier) -> None:
    index = b'{"weight_map": {"layer": "model-00009-of-00009.safetensors"}}'
    files = {"model.safetensors.index.json": index, "README.md": b"# Card\n"}
    revision = factories.published("acme/old", open_tier, files)
    assert revision.findings is None
    lint_findings.sweep()
    revision.refresh_from_db()
    assert codes(revision) == ["index_names_missing_file"]


def test_a_lost_file_does_not_stop_the_sweep(store: Path, open_tier: Tier) -> None:
    index = {"model.safetensors.index.json": b'{"weight_map": {}}'}
    lost = factories.published("acme/lost", open_tier, index)
    good = factories.published("acme/good", open_tier, {"README.md": b"# Card\n"})
    for blob in store.rglob(lost.files.get().sha256):
        blob.unlink()
    lint_findings.sweep()
    lost.refresh_from_db()
    good.refresh_from_db()
    assert (lost.findings, good.findings) == (None, [])


def test_pages_and_api_show_findings(
    client: Client, store: Path, open_tier: Tier, release_owner: User
) -> None:
    files = {"README.md": b"# Card\n", "readme.md": b"# Another\n"}
    revision = factories.published("acme/case", open_tier, files)
    lint_findings.sweep()
    sentence = "README.md and readme.md differ only in case"
    for page in ("/acme/case", "/acme/case/tree/main"):
        assert sentence in client.get(page).content.decode(), page
    (told,) = client.get("/api/v1/checkpoints/acme/case/revisions").json()
    assert told["findings"][0]["code"] == "names_differ_by_case"
    assert told["findings"][0]["paths"] == ["README.md", "readme.md"]
    client.force_login(release_owner)
    in_admin = client.get(f"/admin/weights/revision/{revision.pk}/change/")
    assert sentence in in_admin.content.decode()
