"""The download scripts of OPT-175B and Llama work unchanged with a mailed link.

The two scripts here are rewritten and do the same: replace the first `stubbed.pt`, or the `*`, by
each file's name, keep any query string, and call wget for each name.
"""

import subprocess
from pathlib import Path

import pytest

from accounts.grants import lifecycle
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from weights.delivery import links

pytestmark = [
    pytest.mark.needs("wget", "bash"),
    pytest.mark.one_database,
    pytest.mark.django_db(transaction=True),
]

OPT_SCRIPT = r"""
presigned_url=$1; directory=$2
for part in {0..7}; do
  for shard in {0..123}; do
    name="checkpoint_last-model_part-$part-shard$shard.pt"
    wget -q -O "$directory$name" "${presigned_url/stubbed.pt/$name}"
  done
done
"""
LLAMA_SCRIPT = r"""
PRESIGNED_URL=$1; TARGET_FOLDER=$2
wget -q --continue ${PRESIGNED_URL/'*'/"README.md"} -O "${TARGET_FOLDER}README.md"
for s in $(seq -f "%01g" 0 2); do
  name="part/consolidated.0${s}.pth"
  wget -q --continue ${PRESIGNED_URL/'*'/"$name"} -O "${TARGET_FOLDER}consolidated.0${s}.pth"
done
"""
NAMES = [
    f"checkpoint_last-model_part-{part}-shard{shard}.pt"
    for part in range(8)
    for shard in range(124)
]


@pytest.fixture
def portal(store: Path, start_portal: "object", settings: pytest.FixtureRequest) -> Portal:
    running: Portal = start_portal()  # type: ignore[operator]
    settings.PUBLIC_URL = running.url  # type: ignore[attr-defined]
    return running


def _run(script: str, address: str, folder: Path) -> None:
    folder.mkdir()
    command = ["bash", "-c", script, "download", address, f"{folder}/"]
    subprocess.run(command, check=True, timeout=240, capture_output=True)


@pytest.mark.requirement("UR-10")
def test_the_opt_script_fetches_all_992_shards_by_one_address(
    portal: Portal, tmp_path: Path, applicant: User, gated_tier: Tier
) -> None:
    files = {name: f"shard {name}".encode() for name in NAMES}
    factories.published("acme/opt", gated_tier, files)
    factories.grant(applicant, gated_tier)
    folder = links.issue_now(applicant, "acme/opt", 168)
    _run(OPT_SCRIPT, f"{folder}stubbed.pt?Policy=a&Signature=b", tmp_path / "fetched")
    fetched = {path.name: path.read_bytes() for path in (tmp_path / "fetched").iterdir()}
    assert fetched == files


@pytest.mark.requirement("UR-10")
def test_the_llama_script_fetches_nested_names_by_its_star(
    portal: Portal, tmp_path: Path, applicant: User, gated_tier: Tier
) -> None:
    parts = {f"part/consolidated.0{n}.pth": bytes([n]) * 5000 for n in range(3)}
    factories.published("acme/llama", gated_tier, {"README.md": b"# Card\n", **parts})
    factories.grant(applicant, gated_tier)
    folder = links.issue_now(applicant, "acme/llama", 24)
    _run(LLAMA_SCRIPT, f"{folder}*?Policy=a&Signature=b", tmp_path / "fetched")
    for name, content in parts.items():
        assert (tmp_path / "fetched" / Path(name).name).read_bytes() == content


def test_a_dead_link_leaves_empty_files_and_never_a_page_saved_as_weights(
    portal: Portal, tmp_path: Path, applicant: User, gated_tier: Tier
) -> None:
    factories.published("acme/llama", gated_tier, {"README.md": b"# Card\n"})
    grant = factories.grant(applicant, gated_tier)
    folder = links.issue_now(applicant, "acme/llama", 24)
    lifecycle.revoke(grant, by=None, reason="the test ends it")
    target = tmp_path / "README.md"
    wget = ["wget", "-q", "-O", str(target), f"{folder}README.md"]
    done = subprocess.run(wget, check=False, timeout=60)
    assert done.returncode == 8
    assert target.read_bytes() == b""
