"""The git LFS batch API: a client announces objects and learns where to send the missing ones.

Specification: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md. The Hub's extension
`multipart` splits objects: `header` holds `chunk_size` and the URL of each part by number.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.urls import reverse

from accounts.errors import InvalidValue
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.gate.caller import Caller
from weights.storage import part_store
from weights.uploads import access, multipart, services, signing
from weights.uploads.models import Upload
from weights.uploads.presence import present

#: Maximum objects of one batch; the Hub's clients send at most 256.
MOST_OBJECTS = 1000
_MOST_SIZE = 2**63 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Announced(NamedTuple):
    """The objects of a batch (SHA-256 -> bytes); `in_parts` if the client can send parts."""

    sizes: Mapping[str, int]
    in_parts: bool


def parse(body: Mapping[str, Any]) -> Announced:
    """Read a batch request; raises InvalidValue for an invalid one."""
    if body.get("operation") != "upload":
        raise InvalidValue(
            "git LFS only uploads here; download with `hf download`, or a file from"
            " /ORG/NAME/resolve/REVISION/PATH"
        )
    # The Hub's JavaScript client spells it with an underscore.
    if body.get("hash_algo", "sha256") not in ("sha256", "sha_256"):
        raise InvalidValue("hash_algo must be sha256")
    transfers = body.get("transfers") or ["basic"]
    if not isinstance(transfers, list) or not {"basic", "multipart"} & {*map(str, transfers)}:
        raise InvalidValue("transfers must name basic or multipart")
    objects = body.get("objects")
    if not isinstance(objects, list) or not 1 <= len(objects) <= MOST_OBJECTS:
        raise InvalidValue(f"objects must be a list of 1 to {MOST_OBJECTS} objects")
    sizes: dict[str, int] = {}
    for one in objects:
        sha256, size = _object(one)
        if sizes.setdefault(sha256, size) != size:
            raise InvalidValue(f"{sha256} is listed with two sizes")
    return Announced(sizes, "multipart" in transfers)


def _object(one: Any) -> tuple[str, int]:
    if not isinstance(one, dict):
        raise InvalidValue("each of the objects must have an oid and a size")
    sha256, size = one.get("oid"), one.get("size")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise InvalidValue("an oid is a SHA-256: 64 hex digits in lower case")
    if type(size) is not int or not 0 <= size <= _MOST_SIZE:
        raise InvalidValue(f"the size of {sha256} must be a number of bytes")
    return sha256, size


def answer(
    checkpoint: Checkpoint, person: User, caller: Caller, announced: Announced
) -> dict[str, Any]:
    """Start the uploads of missing objects; returns the LFS answer with their URLs.

    Raises the errors of `services.start` and of the store.
    """
    sizes = announced.sizes
    held = present(checkpoint, person, sizes)
    for sha256, size in held.items():
        if sizes[sha256] != size:
            raise InvalidValue(f"{sha256} has {size} bytes, not {sizes[sha256]}")
    missing = {sha256: size for sha256, size in sizes.items() if sha256 not in held}
    uploads = services.start(checkpoint, person, missing)
    objects: list[dict[str, Any]] = []
    for sha256, size in sizes.items():
        upload = uploads.get(sha256)
        actions: dict[str, Any] = {}
        # An object whose parts were all sent is being hashed; the commit waits for that.
        if upload is not None and upload.state == Upload.State.RECEIVING:
            actions = {"actions": _actions(upload, checkpoint, caller, announced.in_parts)}
        objects.append({"oid": sha256, "size": size, "authenticated": True, **actions})
    transfer = "multipart" if announced.in_parts else "basic"
    return {"transfer": transfer, "objects": objects, "hash_algo": "sha256"}


def _actions(
    upload: Upload, checkpoint: Checkpoint, caller: Caller, in_parts: bool
) -> dict[str, Any]:
    life = int(signing.LIFETIME.total_seconds())
    if not in_parts or upload.size <= multipart.PART_SIZE:
        # No `verify` action: the response to the PUT already confirms the hash.
        href = _url(upload, checkpoint, caller, signing.WHOLE)
        return {"upload": {"href": href, "expires_in": life}}
    names = [checkpoint.org, checkpoint.name]
    verify = settings.PUBLIC_URL + reverse("uploads:verify", args=names)
    send = _in_parts(upload, checkpoint, caller)
    return {"upload": {**send, "expires_in": life}, "verify": {"href": verify}}


def _in_parts(upload: Upload, checkpoint: Checkpoint, caller: Caller) -> dict[str, Any]:
    multipart.stage(upload)
    life = int(signing.LIFETIME.total_seconds())
    urls = part_store().urls(upload.staging, upload.part_count, life)
    if urls is None:
        numbers = range(1, upload.part_count + 1)
        urls = [_url(upload, checkpoint, caller, number) for number in numbers]
    parts = {str(number): url for number, url in enumerate(urls, 1)}
    header = {"chunk_size": str(upload.part_size), **parts}
    return {"href": _url(upload, checkpoint, caller, signing.COMPLETION), "header": header}


def _url(upload: Upload, checkpoint: Checkpoint, caller: Caller, act: int) -> str:
    return signing.url(access.claim_of(upload, caller, act), checkpoint)
