"""OpenSSF's standard tool accepts a downloaded checkpoint and refuses every change."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from django.test import Client
from huggingface_hub import snapshot_download

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers import services
from tests.support.servers.live import Portal
from weights.delivery import links
from weights.manifests.models import ManifestKey, ManifestSignature
from weights.publishing import synthetic

pytestmark = pytest.mark.one_database

REPO = "acme/tiny-opt"
CARD = "---\nlicense: {licence}\n---\n# Synthetic: random weights\n"
PROGRAMS = Path(sys.executable).parent


def write_model(folder: Path, *, licence: str = "apache-2.0") -> None:
    """A model with a nested folder, a hidden file, an empty one and a name in Unicode."""
    folder.mkdir()
    synthetic.write_hub_checkpoint(folder, card=CARD.format(licence=licence))
    (folder / "runs").mkdir()
    (folder / "runs" / "größe 1.csv").write_text("step,loss\n1,9.9\n")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    (folder / "empty.txt").write_text("")


@pytest.fixture
def published(open_tier: Tier, portal_server: Portal, tmp_path: Path) -> str:
    """The id of a verified and signed revision."""
    write_model(tmp_path / "source")
    done = portal_server.manage(
        "publish", str(tmp_path / "source"), REPO, "--tier", "open", "--wait"
    )
    assert done.returncode == 0, done.stderr
    services.wait_until(ManifestSignature.objects.exists, "the signature")
    return done.stdout.strip()


def arguments(folder: Path, signature: Path, key: Path) -> list[str]:
    files = ["--signature", str(signature), "--public_key", str(key)]
    return ["verify", "key", str(folder), *files]


def verify(folder: Path, signature: Path, key: Path, *options: str) -> tuple[int, str]:
    """Run the stock tool; returns its exit code and output."""
    command = [str(PROGRAMS / "model_signing"), *arguments(folder, signature, key), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def verify_in_process(folder: Path, signature: Path, key: Path) -> tuple[int, str]:
    """Like `verify`, but without another start of the tool, which takes 0.9 s of CPU."""
    (tool,) = entry_points(group="console_scripts", name="model_signing")
    result = CliRunner().invoke(tool.load(), arguments(folder, signature, key))
    return result.exit_code, result.output


def fetched(portal: Portal, path: str, into: Path) -> Path:
    with urlopen(f"{portal.url}{path}", timeout=60) as answer:
        into.write_bytes(answer.read())
    return into


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("config.json")


CHANGES: dict[str, Callable[[Path], object]] = {
    "one bit": lambda folder: flip(folder / "model.safetensors"),
    "one byte more": lambda folder: append(folder / "config.json"),
    "a file gone": lambda folder: (folder / "config.json").unlink(),
    "a file more": lambda folder: (folder / "extra.py").write_text("print()"),
    "a hidden file more": lambda folder: (folder / ".extra").write_text(""),
    "a file more in a folder": lambda folder: (folder / "runs" / "extra.csv").write_text(""),
    "another name": lambda folder: (folder / "config.json").rename(folder / "Config.json"),
    "two files exchanged": lambda folder: (folder / "empty.txt").write_text("step,loss\n1,9.9\n"),
    "an empty file gone": lambda folder: (folder / "empty.txt").unlink(),
    "a link in place of a file": lambda folder: link(folder / "empty.txt"),
}


@pytest.mark.requirement("ST-6")
def test_the_stock_tool_accepts_the_published_files_and_refuses_every_change(
    portal_server: Portal, published: str, tmp_path: Path
) -> None:
    key_id = ManifestKey.objects.get().key_id
    key = fetched(portal_server, f"/keys/{key_id}.pem", tmp_path / "key.pem")
    signature = fetched(portal_server, f"/{REPO}/manifest/{published}.sig", tmp_path / "model.sig")
    folder = tmp_path / "fetched"
    snapshot_download(REPO, endpoint=portal_server.url, local_dir=folder, token=False)
    assert (folder / ".cache" / "huggingface").is_dir(), "the client keeps notes beside the files"
    assert verify(folder, signature, key) == (0, "Verification succeeded\n")

    for name, change in CHANGES.items():
        copy = tmp_path / "changed"
        shutil.copytree(folder, copy)
        change(copy)
        code, said = verify_in_process(copy, signature, key)
        assert code == 1, name
        assert "Verification failed" in said, name
        shutil.rmtree(copy)

    inside = Path(shutil.copy(signature, folder / "model.sig"))
    assert verify(folder, inside, key)[0] == 0, "the signature may stand beside the files"
    altered = tmp_path / "altered.sig"
    altered.write_text(signature.read_text().replace('"sig": "M', '"sig": "N'))
    assert verify(folder, altered, key)[0] == 1
    assert verify_in_process(folder, signature, key) == (0, "Verification succeeded\n")


def test_a_snapshot_in_the_clients_cache_is_verified_through_its_symlinks(
    portal_server: Portal, published: str, tmp_path: Path
) -> None:
    key = fetched(
        portal_server, f"/keys/{ManifestKey.objects.get().key_id}.pem", tmp_path / "key.pem"
    )
    signature = fetched(portal_server, f"/{REPO}/manifest/{published}.sig", tmp_path / "model.sig")
    snapshot = Path(
        snapshot_download(
            REPO, endpoint=portal_server.url, cache_dir=tmp_path / "cache", token=False
        )
    )
    assert verify(snapshot, signature, key)[0] == 1
    assert verify(snapshot, signature, key, "--allow_symlinks")[0] == 0


def test_the_commands_of_the_keys_page_work_as_written(
    portal_server: Portal, published: str, tmp_path: Path, client: Client
) -> None:
    page = client.get("/keys/").context["commands"].replace("http://127.0.0.1:8000", "$PORTAL")
    lines = [line for line in page.splitlines() if not line.startswith("pip install")]
    assert len(lines) == 5
    done = subprocess.run(
        ["sh", "-ec", "\n".join(lines)],
        cwd=tmp_path,
        env={
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "PORTAL": portal_server.url,
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Verification succeeded\n")


def test_a_folder_downloaded_by_a_link_is_verified_with_the_links_signature(
    portal_server: Portal, store: Path, gated_tier: Tier, applicant: User, tmp_path: Path
) -> None:
    write_model(tmp_path / "source", licence="other")
    done = portal_server.manage(
        "publish", str(tmp_path / "source"), "acme/gated", "--tier", gated_tier.slug, "--wait"
    )
    assert done.returncode == 0, done.stderr
    services.wait_until(ManifestSignature.objects.exists, "the signature")
    factories.grant(applicant, gated_tier)
    link = links.issue_now(applicant, "acme/gated", 24).replace(
        "http://127.0.0.1:8000", portal_server.url
    )
    folder = tmp_path / "by-script"
    folder.mkdir()
    for name in ("download.sh", "model.sig", "manifest.json", "SHA256SUMS"):
        (folder / name).write_bytes(urlopen(link + name, timeout=60).read())
    fetched_all = subprocess.run(
        ["sh", "download.sh"],
        cwd=folder,
        env=os.environ | {"WEIGHBRIDGE_LINK": link},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert fetched_all.returncode == 0, fetched_all.stderr
    assert (folder / "NOTICE.txt").exists()
    key = fetched(
        portal_server, f"/keys/{ManifestKey.objects.get().key_id}.pem", tmp_path / "key.pem"
    )
    assert verify(folder, folder / "model.sig", key) == (0, "Verification succeeded\n")
    (folder / "payload.py").write_text("print()")
    assert verify(folder, folder / "model.sig", key)[0] == 1
