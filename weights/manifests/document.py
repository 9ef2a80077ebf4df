"""The published manifest of a revision: a JSON document that never changes.

It is created on its first request or on signing, whichever comes first, and stored: tiers and
licences change, and the document records the terms at that time. Anybody can recompute
`manifest_sha256` from its files, and the revision's id from that hash and the parent's id.
"""

import json
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from weights.catalogue import licences
from weights.manifests.models import PublishedManifest
from weights.publishing.models import Revision

FORMAT = "weighbridge-manifest/1"


def document_of(revision: Revision) -> PublishedManifest:
    """The revision's document, created on first use."""
    document = PublishedManifest.objects.filter(revision=revision).first()
    if document is not None:
        return document
    text = _text(revision)
    fields = {"text": text, "sha256": sha256(text.encode()).hexdigest()}
    return PublishedManifest.objects.get_or_create(revision=revision, defaults=fields)[0]


def _text(revision: Revision) -> str:
    checkpoint = revision.checkpoint
    tier, text = checkpoint.tier, licences.text_of(checkpoint)
    licence = licences.of_checkpoint(checkpoint, revision)
    version = text.in_force() if text else None
    content: dict[str, Any] = {
        "format": FORMAT,
        "checkpoint": checkpoint.repo_id,
        "revision": revision.sha,
        "parent": revision.parent.sha if revision.parent else None,
        "manifest_sha256": revision.manifest_sha256,
        "published_at": revision.visible_at.isoformat() if revision.visible_at else None,
        "terms": {
            "tier": tier.slug,
            "mode": tier.mode,
            "licence": licence.code if licence else None,
            "title": licence.title if licence else licences.NOT_STATED,
            "version": version.version if version else None,
            "text_sha256": version.text_sha256 if version else None,
            "attribution": text.attribution if text else "",
        },
        "files": _files(revision),
        "total_bytes": revision.total_bytes,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _files(revision: Revision) -> list[dict[str, Any]]:
    """Every file, in the order of the signature's resources."""
    files = revision.files.select_related("blob")
    return [
        {
            "path": file.path,
            "size": file.size,
            "sha256": file.sha256,
            "git_oid": file.git_oid,
            "md5": file.md5 or None,
        }
        for file in sorted(files, key=lambda file: PurePosixPath(file.path).parts)
    ]


def files_of(document: PublishedManifest) -> list[dict[str, Any]]:
    """The files listed in a document."""
    files: list[dict[str, Any]] = json.loads(document.text)["files"]
    return files


def sums_of(document: PublishedManifest) -> str:
    """The files in the format of `sha256sum -c`; no path contains a backslash or line break."""
    return "".join(f"{file['sha256']}  {file['path']}\n" for file in files_of(document))
