"""A revision's manifest as anybody may keep it: one document that never changes.

It is made when it is first asked for, at the latest when it is signed, and kept: tiers and
licences change, and the document says what held when the revision was published. What it
says of its files can be worked out again by anyone: `manifest_sha256` from the lines, and
the revision's id from that and the parent's.
"""

import json
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from weights.manifests.models import PublishedManifest
from weights.publishing.models import Revision

FORMAT = "weighbridge-manifest/1"


def document_of(revision: Revision) -> PublishedManifest:
    """The revision's document, made now if it was never asked for."""
    kept = PublishedManifest.objects.filter(revision=revision).first()
    if kept is not None:
        return kept
    text = _text(revision)
    facts = {"text": text, "sha256": sha256(text.encode()).hexdigest()}
    return PublishedManifest.objects.get_or_create(revision=revision, defaults=facts)[0]


def _text(revision: Revision) -> str:
    tier = revision.checkpoint.tier
    licence = tier.licence
    version = licence.in_force()
    told: dict[str, Any] = {
        "format": FORMAT,
        "checkpoint": revision.checkpoint.repo_id,
        "revision": revision.sha,
        "parent": revision.parent.sha if revision.parent else None,
        "manifest_sha256": revision.manifest_sha256,
        "published_at": revision.visible_at.isoformat() if revision.visible_at else None,
        "terms": {
            "tier": tier.slug,
            "mode": tier.mode,
            "licence": licence.slug,
            "title": licence.title,
            "version": version.version if version else None,
            "text_sha256": version.text_sha256 if version else None,
            "attribution": licence.attribution,
        },
        "files": _files(revision),
        "total_bytes": revision.total_bytes,
    }
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def _files(revision: Revision) -> list[dict[str, Any]]:
    """Every file, in the order that the signature's resources have."""
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
    """The files that a document tells of."""
    files: list[dict[str, Any]] = json.loads(document.text)["files"]
    return files


def sums_of(document: PublishedManifest) -> str:
    """The files in the form of `sha256sum -c`; no path holds a backslash or line break."""
    return "".join(f"{file['sha256']}  {file['path']}\n" for file in files_of(document))
