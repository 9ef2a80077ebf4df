"""`push_to_hub` of transformers with a running portal; runs only in `make test-transformers`."""

from pathlib import Path

import pytest

from tests.weights.hub_api.publishing.conftest import Publisher
from weights.catalogue.models import Checkpoint
from weights.publishing import synthetic
from weights.publishing.models import Revision

pytestmark = pytest.mark.transformers

PUSH = """
import json, sys
from transformers import AutoConfig, AutoTokenizer
source, repo = sys.argv[1:]
config, tokenizer = AutoConfig.from_pretrained(source), AutoTokenizer.from_pretrained(source)
config.push_to_hub(repo)
tokenizer.push_to_hub(repo)
back = AutoTokenizer.from_pretrained(repo)
text = "Weights pass here"
print(json.dumps({"same": back(text)["input_ids"] == tokenizer(text)["input_ids"],
                  "model_type": AutoConfig.from_pretrained(repo).model_type}))
"""


def test_a_pushed_configuration_and_tokenizer_are_drafts_that_load_again(
    publisher: Publisher, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    synthetic.write_hub_checkpoint(source, card="# Synthetic\n")
    loaded = publisher.python(PUSH, str(source), "lab/pushed")
    assert loaded == {"same": True, "model_type": "opt"}
    checkpoint = Checkpoint.objects.get(org="lab", name="pushed")
    assert set(checkpoint.revisions.values_list("state", flat=True)) == {Revision.State.DRAFT}
    newest = checkpoint.revisions.latest("pk")
    paths = set(newest.files.values_list("path", flat=True))
    assert {"config.json", "tokenizer_config.json"} <= paths
