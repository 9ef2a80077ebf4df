"""An open checkpoint, end to end: published, verified, and downloaded by every client."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfFileSystem, snapshot_download

from accounts.tiers.models import Tier
from tests.support import factories
from tests.support.servers.live import Portal
from weights.ledger.models import Download
from weights.publishing import synthetic

pytestmark = pytest.mark.one_database

CARD = "---\nlicense: apache-2.0\ntags: [opt, synthetic]\n---\n# Synthetic: random weights\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A model folder on disk, with a nested folder and a hidden file."""
    folder = tmp_path / "source"
    folder.mkdir()
    synthetic.write_hub_checkpoint(folder, card=CARD)
    (folder / "runs" / "first").mkdir(parents=True)
    (folder / "runs" / "first" / "loss.csv").write_text("step,loss\n1,9.9\n")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


def publish(portal: Portal, folder: Path) -> str:
    done = portal.manage("publish", str(folder), "acme/tiny-opt", "--tier", "open", "--wait")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def hf_download(portal: Portal, into: Path) -> subprocess.CompletedProcess[str]:
    """`hf download` with the one variable that a user sets."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(into),
        "HF_ENDPOINT": portal.url,
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    program = Path(sys.executable).with_name("hf")
    return subprocess.run(
        [str(program), "download", "acme/tiny-opt", "--local-dir", str(into)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_client_gets_what_was_published(
    open_tier: Tier, portal_server: Portal, source: Path, tmp_path: Path
) -> None:
    sha = publish(portal_server, source)
    done = hf_download(portal_server, tmp_path / "by-hf")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "by-hf") == contents(source)

    folder = snapshot_download(
        "acme/tiny-opt",
        endpoint=portal_server.url,
        cache_dir=tmp_path / "cache",
        max_workers=8,
        token=False,
    )
    assert Path(folder).name == sha
    assert contents(Path(folder)) == contents(source)

    system = HfFileSystem(endpoint=portal_server.url, token=False, skip_instance_cache=True)
    with system.open("acme/tiny-opt/model.safetensors", "rb") as file:
        file.seek(1_000_000)
        assert file.read(64) == contents(source)["model.safetensors"][1_000_000:1_000_064]

    url = f"{portal_server.url}/acme/tiny-opt/resolve/main/model.safetensors"
    for command in (
        ["curl", "-sS", "-C", "-", "-o", "curl", url],
        ["wget", "-nv", "--no-proxy", "-c", "-O", "wget", url],
        ["aria2c", "-q", "-x8", "-s8", "-k1M", "--all-proxy=", "-o", "aria2c", url],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
        assert (tmp_path / command[0]).read_bytes() == contents(source)["model.safetensors"]
    assert Download.objects.filter(path="model.safetensors", start=0).count() >= 5


def test_downloads_from_s3_do_not_pass_through_the_portal(
    open_tier: Tier,
    s3_store: str,
    start_portal: Callable[..., Portal],
    source: Path,
    tmp_path: Path,
) -> None:
    portal = start_portal(worker=True)
    publish(portal, source)
    done = hf_download(portal, tmp_path / "by-hf")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "by-hf") == contents(source)
    assert set(Download.objects.values_list("outcome", flat=True)) == {Download.Outcome.REDIRECTED}
    url = f"{portal.url}/acme/tiny-opt/resolve/main/model.safetensors"
    whole = contents(source)["model.safetensors"]
    (tmp_path / "cut").write_bytes(whole[:1000])
    for command in (
        ["curl", "-sS", "-L", "-C", "-", "-o", "cut", url],
        ["wget", "-nv", "--no-proxy", "-O", "wget", url],
        ["aria2c", "-q", "-x8", "-s8", "-k1M", "--all-proxy=", "-o", "aria2c", url],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    for name in ("cut", "wget", "aria2c"):
        assert (tmp_path / name).read_bytes() == whole
    system = HfFileSystem(endpoint=portal.url, token=False, skip_instance_cache=True)
    with system.open("acme/tiny-opt/model.safetensors", "rb") as file:
        file.seek(-9, os.SEEK_END)
        assert file.read() == whole[-9:]


def test_a_gated_checkpoint_on_s3_is_signed_only_for_holders(
    gated_tier: Tier, s3_store: str, start_portal: Callable[..., Portal], tmp_path: Path
) -> None:
    person = factories.person("grace")
    factories.grant(person, gated_tier)
    factories.published("acme/gated", gated_tier, {"w.bin": b"weights" * 1000})
    portal = start_portal()
    url = f"{portal.url}/acme/gated/resolve/main/w.bin"
    refused = subprocess.run(
        ["curl", "-sS", "-L", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert refused.stdout.strip() == "401"
    token = factories.token(person, "read-gated")
    header = f"Authorization: Bearer {token}"
    subprocess.run(
        ["curl", "-sS", "-L", "-o", "w.bin", "-H", header, url],
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    assert (tmp_path / "w.bin").read_bytes() == b"weights" * 1000
