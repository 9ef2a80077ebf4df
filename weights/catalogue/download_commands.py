"""The commands that fetch a checkpoint, with its real names: plain Python, no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote as shell
from urllib.parse import quote


@dataclass(frozen=True)
class Recipe:
    """One tab of the Get it panel: what to type, and a word before and after."""

    key: str
    name: str
    command: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Wanted:
    """What is to be fetched, from where. `largest` is a path; `paths` all of them."""

    portal: str
    repo_id: str
    gated: bool
    paths: Sequence[str]
    largest: str


_SCOPE_NEEDED = "HF_TOKEN holds a token with the scope read-gated."


def recipes(wanted: Wanted) -> list[Recipe]:
    """Every way that works for this checkpoint, the commonest first."""
    ways = [_hf(wanted), _python(wanted)]
    if "config.json" in wanted.paths:
        ways.append(_transformers(wanted))
    if wanted.gated:
        ways.append(_link())
    return [*ways, _curl(wanted), _wget(wanted), _aria2(wanted)]


def check_recipe(portal: str, repo_id: str, sha: str, key_id: str, *, gated: bool) -> str:
    """Fetch one revision, its signature and the key, and compare every file with what was signed.

    The tool is OpenSSF's, none of ours; its 1.1.1 needs pyOpenSSL without saying so.
    """
    folder = shell(repo_id.partition("/")[2])
    return "\n".join(
        [
            "pip install huggingface_hub model-signing pyOpenSSL",
            f"export HF_ENDPOINT={portal}",
            *(["export HF_TOKEN=wb_…"] if gated else []),
            f"hf download {repo_id} --revision {sha} --local-dir {folder}",
            f"curl -fO {portal}/keys/{key_id}.pem",
            f"curl -fo {folder}.sig {portal}/{repo_id}/manifest/{sha}.sig",
            f"model_signing verify key {folder} --signature {folder}.sig --public_key {key_id}.pem",
        ]
    )


def _hf(wanted: Wanted) -> Recipe:
    lines = [f"export HF_ENDPOINT={wanted.portal}"]
    if wanted.gated:
        lines.append("export HF_TOKEN=wb_…")
    lines.append(f"hf download {wanted.repo_id}")
    return Recipe(
        "hf",
        "hf",
        "\n".join(lines),
        before="With the Hub's own client (pip install huggingface_hub). It fetches eight files "
        "at a time; run again, it fetches those that are missing.",
        after=_SCOPE_NEEDED if wanted.gated else "",
    )


def _python(wanted: Wanted) -> Recipe:
    token = ', token="wb_…"' if wanted.gated else ""
    return Recipe(
        "python",
        "Python",
        "from huggingface_hub import snapshot_download\n\n"
        f'folder = snapshot_download("{wanted.repo_id}",\n'
        f'    endpoint="{wanted.portal}"{token})',
        after="The token needs the scope read-gated." if wanted.gated else "",
    )


def _transformers(wanted: Wanted) -> Recipe:
    token = 'os.environ["HF_TOKEN"] = "wb_…"\n' if wanted.gated else ""
    return Recipe(
        "transformers",
        "transformers",
        "import os\n"
        f'os.environ["HF_ENDPOINT"] = "{wanted.portal}"\n{token}'
        "from transformers import AutoModelForCausalLM\n\n"
        f'model = AutoModelForCausalLM.from_pretrained("{wanted.repo_id}")',
        before="The address is read when transformers is imported, so it is set first.",
    )


def _link() -> Recipe:
    return Recipe(
        "link",
        "mailed link",
        "wget -c 'ADDRESS/NAME'\nbash download_opt175b.sh 'ADDRESS/stubbed.pt'",
        before="The mailed address opens every file without a token, for a week. Put it in place "
        "of ADDRESS, in quotes; the published download scripts take it too.",
        after="Lost or ended? Ask for a new one on My access.",
    )


def _curl(wanted: Wanted) -> Recipe:
    header = '-H "Authorization: Bearer $HF_TOKEN" ' if wanted.gated else ""
    return Recipe(
        "curl",
        "curl",
        f"curl -fL -C - -O {header}\\\n  {_address(wanted)}",
        before="One file; the same command again continues it.",
        after=_SCOPE_NEEDED if wanted.gated else "",
    )


def _wget(wanted: Wanted) -> Recipe:
    header = '--header="Authorization: Bearer $HF_TOKEN" ' if wanted.gated else ""
    return Recipe(
        "wget",
        "wget",
        f"wget -c {header}\\\n  {_address(wanted)}",
        before="One file; the same command again continues it.",
        after=_SCOPE_NEEDED if wanted.gated else "",
    )


def _aria2(wanted: Wanted) -> Recipe:
    header = '--header="Authorization: Bearer $HF_TOKEN" ' if wanted.gated else ""
    return Recipe(
        "aria2",
        "aria2",
        f"aria2c -c -x8 -s8 {header}\\\n  {_address(wanted)}",
        before="One file over eight connections.",
        after=_SCOPE_NEEDED if wanted.gated else "",
    )


def _address(wanted: Wanted) -> str:
    path = quote(f"/{wanted.repo_id}/resolve/main/{wanted.largest}")
    return shell(f"{wanted.portal}{path}")
