"""`from_pretrained` with a running portal; needs torch, so it runs in `make test-transformers`."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from weights.publishing import synthetic

pytestmark = pytest.mark.transformers

# A researcher's script, in a new process because the client reads HF_ENDPOINT at import.
LOAD = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
name = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name)
words = tokenizer("Weights pass here", return_tensors="pt")
out = model.generate(**words, max_new_tokens=3, do_sample=False)
assert out.shape[1] == words["input_ids"].shape[1] + 3, out.shape
print(type(model).__name__, sum(p.numel() for p in model.parameters()))
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """A tiny OPT in the Hub's layout."""
    folder = tmp_path / "source"
    folder.mkdir()
    synthetic.write_hub_checkpoint(folder, card="# Synthetic\n")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def load(
    portal: Portal, home: Path, name: str, token: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HF_ENDPOINT": portal.url,
        "HF_HOME": str(home / factories.word()),
        **({"HF_TOKEN": token} if token else {}),
    }
    return subprocess.run(
        [sys.executable, "-c", LOAD, name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_an_open_checkpoint_is_loaded_by_its_name(
    store: Path, start_portal: Callable[..., Portal], files: dict[str, bytes], tmp_path: Path
) -> None:
    portal = start_portal()
    factories.published("acme/tiny-opt", files=files)
    done = load(portal, tmp_path, "acme/tiny-opt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OPTForCausalLM ")


def test_a_gated_checkpoint_is_loaded_with_only_a_token(
    store: Path,
    start_portal: Callable[..., Portal],
    files: dict[str, bytes],
    tmp_path: Path,
    applicant: User,
    gated_tier: Tier,
) -> None:
    portal = start_portal()
    factories.published("acme/gated-opt", gated_tier, files)
    refused = load(portal, tmp_path, "acme/gated-opt")
    assert refused.returncode != 0
    assert "/apply/opt-175b/" in refused.stderr
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    done = load(portal, tmp_path, "acme/gated-opt", token)
    assert done.returncode == 0, done.stderr
