"""GGUF manifests: the endpoint where RamaLama looks up the GGUF file of a checkpoint by tag."""

import re
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from weights import gate
from weights.gate import Decision, Missing
from weights.gate.caller import Caller, TokenClaim
from weights.hub_api.authentication import bearer_claim
from weights.hub_api.decorators import hub_view
from weights.hub_api.errors import RequestRefused
from weights.hub_api.git_trees import Entry, listing
from weights.hub_api.responses import json_response
from weights.publishing.queries import DEFAULT_BRANCH

#: Quantisations for `latest` in order of preference, as on the Hub; else the first file.
_PREFERRED = ("Q4_K_M", "Q4_0")
_SPLIT = re.compile(r"-([0-9]{5})-of-[0-9]{5}\.gguf$")


@hub_view("GET", "HEAD", authenticate=bearer_claim)
def gguf_manifest(
    request: HttpRequest, caller: Caller | TokenClaim, org: str, name: str, tag: str
) -> HttpResponseBase:
    """The path and hash of the GGUF file for a quantisation or `latest`, on the default branch.

    Only for callers who may download the files. 404 `EntryNotFound` if no file matches; RamaLama
    then tries safetensors.
    """
    repo_id = f"{org}/{name}"
    decision = gate.may_fetch_revision(caller, repo_id, DEFAULT_BRANCH, timezone.now())
    if not decision.allowed or decision.revision is None:
        raise RequestRefused(decision)
    lfs_files = (file for file in listing(decision.revision).files() if file.sha256)
    files = [file for file in lfs_files if file.path.endswith(".gguf")]
    projectors = [file for file in files if "mmproj" in file.path.lower()]
    model = _model_file([file for file in files if file not in projectors], tag)
    if model is None:
        message = f"{repo_id} has no GGUF file for {tag}"
        missing = Decision(
            decision.checkpoint, decision.revision, missing=Missing.ENTRY, message=message
        )
        raise RequestRefused(missing)
    payload = {"ggufFile": _payload(model)}
    if projectors:
        payload["mmprojFile"] = _payload(projectors[0])
    return json_response(payload)


def _model_file(files: Sequence[Entry], tag: str) -> Entry | None:
    """The file of this quantisation; of split files, the first part."""
    first_parts = [
        file for file in files if not (part := _SPLIT.search(file.path)) or part[1] == "00001"
    ]
    if tag == "latest":
        preferred = (_quantised(first_parts, quantisation) for quantisation in _PREFERRED)
        return next(filter(None, preferred), next(iter(first_parts), None))
    return _quantised(first_parts, tag)


def _quantised(files: Sequence[Entry], quantisation: str) -> Entry | None:
    """The file whose name ends in the quantisation, in either case."""
    ending = re.compile(rf"(?:^|[-./]){re.escape(quantisation)}$", re.IGNORECASE)
    stems = ((file, _SPLIT.sub("", file.path).removesuffix(".gguf")) for file in files)
    return next((file for file, stem in stems if ending.search(stem)), None)


def _payload(file: Entry) -> dict[str, str | int]:
    return {"rfilename": file.path, "blobId": f"sha256:{file.sha256}", "size": file.size}
