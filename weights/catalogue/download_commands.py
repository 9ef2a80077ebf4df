"""Shell and Python commands that download a given checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote as shell
from urllib.parse import quote


@dataclass(frozen=True)
class Recipe:
    """One tab of the download panel: the command, and a sentence before and after it."""

    key: str
    name: str
    command: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Target:
    """The checkpoint to download; `largest` is the path of its largest file."""

    portal: str
    repo_id: str
    gated: bool
    paths: Sequence[str]
    largest: str


_SCOPE_NEEDED = "HF_TOKEN holds a token with the scope read-gated."
_ONE_FILE = "One file; run the same command again to continue."


def recipes(target: Target) -> list[Recipe]:
    """All commands that work for this checkpoint, most common first."""
    return [
        _hf(target),
        _python(target),
        *([_transformers(target)] if "config.json" in target.paths else []),
        *([_LINK] if target.gated else []),
        _one_file(target, "curl", "curl -fL -C - -O", "-H ", _ONE_FILE),
        _one_file(target, "wget", "wget -c", "--header=", _ONE_FILE),
        _one_file(
            target, "aria2", "aria2c -c -x8 -s8", "--header=", "One file over eight connections."
        ),
    ]


def check_recipe(portal: str, repo_id: str, sha: str, key_id: str, *, gated: bool) -> str:
    """Downloads one revision, its signature and the key, and verifies every file.

    Uses OpenSSF's model-signing; its version 1.1.1 needs pyOpenSSL without declaring it.
    """
    folder = shell(repo_id.partition("/")[2])
    return "\n".join(
        [
            "pip install huggingface_hub model-signing pyOpenSSL",
            f"export HF_ENDPOINT={portal}",
            *(["export HF_TOKEN=hf_wb…"] if gated else []),
            f"hf download {repo_id} --revision {sha} --local-dir {folder}",
            f"curl -fO {portal}/keys/{key_id}.pem",
            f"curl -fo {folder}.sig {portal}/{repo_id}/manifest/{sha}.sig",
            f"model_signing verify key {folder} --signature {folder}.sig --public_key {key_id}.pem",
        ]
    )


def _hf(target: Target) -> Recipe:
    token = "export HF_TOKEN=hf_wb…\n" if target.gated else ""
    return Recipe(
        "hf",
        "hf",
        f"export HF_ENDPOINT={target.portal}\n{token}hf download {target.repo_id}",
        before="With the Hub's own client (pip install huggingface_hub). It downloads eight files "
        "at a time. If you run it again, it downloads the missing ones.",
        after=_SCOPE_NEEDED if target.gated else "",
    )


def _python(target: Target) -> Recipe:
    token = ', token="hf_wb…"' if target.gated else ""
    return Recipe(
        "python",
        "Python",
        "from huggingface_hub import snapshot_download\n\n"
        f'folder = snapshot_download("{target.repo_id}",\n'
        f'    endpoint="{target.portal}"{token})',
        after="The token needs the scope read-gated." if target.gated else "",
    )


def _transformers(target: Target) -> Recipe:
    token = 'os.environ["HF_TOKEN"] = "hf_wb…"\n' if target.gated else ""
    return Recipe(
        "transformers",
        "transformers",
        "import os\n"
        f'os.environ["HF_ENDPOINT"] = "{target.portal}"\n{token}'
        "from transformers import AutoModelForCausalLM\n\n"
        f'model = AutoModelForCausalLM.from_pretrained("{target.repo_id}")',
        before="The address is read when transformers is imported, so it is set first.",
    )


_LINK = Recipe(
    "link",
    "mailed link",
    "wget -c 'ADDRESS/NAME'\nbash download_opt175b.sh 'ADDRESS/stubbed.pt'",
    before="The mailed address opens every file without a token, for a week. Replace ADDRESS "
    "with it, in quotes; the published download scripts accept it too.",
    after="Lost or expired? Request a new one on My access.",
)


def _one_file(target: Target, name: str, command: str, option: str, before: str) -> Recipe:
    """Downloads the largest file; `option` is the option of the tool for a request header."""
    header = f'{option}"Authorization: Bearer $HF_TOKEN" ' if target.gated else ""
    path = quote(f"/{target.repo_id}/resolve/main/{target.largest}")
    return Recipe(
        name,
        name,
        f"{command} {header}\\\n  {shell(f'{target.portal}{path}')}",
        before,
        after=_SCOPE_NEEDED if target.gated else "",
    )
