"""The Hub's JSON, in the Hub's spellings."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from accounts.api_tokens.models import ApiToken, Scope
from accounts.tiers.access_modes import AccessMode
from accounts.users.models import User
from weights.catalogue.search import Found
from weights.hub_api.listings import Entry, Listing
from weights.inspection import kinds
from weights.inspection.models import Inspection
from weights.publishing.models import Ref, Revision

GATED: dict[AccessMode, str | bool] = {
    AccessMode.OPEN: False,
    AccessMode.CLICK_THROUGH: "auto",
    AccessMode.REVIEWED: "manual",
}


def date(moment: datetime) -> str:
    """`2026-11-23T21:07:35.000Z`: the clients read no other form."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def model_info(found: Found, siblings: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Everything told of a model; `siblings` are left out where nobody asked for them."""
    checkpoint, card = found.checkpoint, found.contents.card
    told: dict[str, Any] = {
        "id": checkpoint.repo_id,
        "modelId": checkpoint.repo_id,
        "author": checkpoint.org,
        "createdAt": date(checkpoint.created_at),
        "private": checkpoint.private,
        "disabled": False,
        "gated": GATED[checkpoint.tier.access_mode],
        "downloads": found.downloads,
        "likes": 0,
        "tags": found.contents.tags,
        "cardData": card,
        "config": found.contents.config,
    }
    if found.revision is not None:
        told |= _of_revision(found.revision)
    if found.contents.total:
        told["safetensors"] = {
            "parameters": found.contents.parameters,
            "total": found.contents.total,
        }
    if siblings is not None:
        told["siblings"] = siblings
    words = {name: card.get(name) for name in ("pipeline_tag", "library_name")}
    return told | {name: word for name, word in words.items() if isinstance(word, str)}


def _of_revision(revision: Revision) -> dict[str, Any]:
    return {
        "sha": revision.sha,
        "lastModified": date(revision.visible_at or revision.created_at),
        "usedStorage": revision.total_bytes,
    }


def only(told: dict[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """The id and the properties asked for, where there are such."""
    names = {"id", *wanted}
    return {name: value for name, value in told.items() if name in names}


def siblings(listing: Listing, *, blobs: bool) -> list[dict[str, Any]]:
    return [_sibling(entry, blobs=blobs) for entry in listing.files()]


def _sibling(entry: Entry, *, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": entry.path}
    if blobs:
        sibling |= {"size": entry.size, "blobId": entry.oid}
        if entry.sha256:
            sibling["lfs"] = {
                "sha256": entry.sha256,
                "size": entry.size,
                "pointerSize": entry.pointer_size,
            }
    return sibling


def tree_entry(
    entry: Entry, last: Revision | None = None, inspection: Inspection | None = None
) -> dict[str, Any]:
    """A file or folder; with `last`, the revision that changed it last, and what it was found."""
    told: dict[str, Any] = {
        "type": "directory" if entry.is_folder else "file",
        "path": entry.path,
        "oid": entry.oid,
        "size": 0 if entry.is_folder else entry.size,
    }
    if last is not None:
        told["lastCommit"] = {
            "id": last.sha,
            "title": _title(last),
            "date": date(last.visible_at or last.created_at),
        }
        if not entry.is_folder:
            told["securityFileStatus"] = security(inspection)
    if entry.sha256:
        told["lfs"] = {
            "oid": entry.sha256,
            "size": entry.size,
            "pointerSize": entry.pointer_size,
        }
    return told


def security(inspection: Inspection | None) -> dict[str, Any]:
    """The Hub's words for an inspection; no scanner for viruses runs here."""
    status = security_level(inspection)
    imports: dict[str, Any] | None = None
    if inspection is not None and inspection.family == kinds.PICKLE:
        allowed = status == "safe"
        imports = {
            "status": {"safe": "innocuous"}.get(status, status),
            "pickleImports": [_pickle_import(name, allowed=allowed) for name in inspection.imports],
        }
    return {
        "status": status,
        "avScan": {"status": "unscanned"},
        "pickleImportScan": imports,
    }


def security_level(inspection: Inspection | None) -> str:
    """`safe`, `unscanned`, `suspicious` for what two people let pass, or `unsafe`."""
    if inspection is None or inspection.outcome == Inspection.Outcome.NOT_INSPECTED:
        return "unscanned"
    if inspection.outcome == Inspection.Outcome.INSPECTED:
        return "safe"
    return "suspicious" if inspection.is_overridden else "unsafe"


def _pickle_import(name: str, *, allowed: bool) -> dict[str, str]:
    module, _, attribute = name.rpartition(".")
    safety = "innocuous" if allowed else "suspicious"
    return {"module": module, "name": attribute, "safety": safety}


def repository_security(found: dict[str, Inspection], files: int) -> dict[str, Any]:
    """All of a revision's inspections in short; `files` is how many it has."""
    levels = {path: security_level(one) for path, one in sorted(found.items())}
    return {
        "scansDone": len(found) == files,
        "filesWithIssues": [
            {"path": path, "level": level}
            for path, level in levels.items()
            if level in {"suspicious", "unsafe"}
        ],
    }


def refs(found: Iterable[Ref]) -> dict[str, list[dict[str, str]]]:
    told: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": []}
    for ref in found:
        is_branch = ref.kind == Ref.Kind.BRANCH
        told["branches" if is_branch else "tags"].append(
            {
                "name": ref.name,
                "ref": f"refs/{'heads' if is_branch else 'tags'}/{ref.name}",
                "targetCommit": ref.revision.sha,
            }
        )
    return told


def commit(revision: Revision, *, formatted: bool) -> dict[str, Any]:
    title, message = _title(revision), revision.message.partition("\n")[2]
    told: dict[str, Any] = {
        "id": revision.sha,
        "authors": [{"user": revision.author.username}] if revision.author else [],
        "date": date(revision.visible_at or revision.created_at),
        "title": title,
        "message": message.strip(),
    }
    if formatted:
        told["formatted"] = {"title": title, "message": told["message"]}
    return told


def _title(revision: Revision) -> str:
    return revision.message.partition("\n")[0] or "Publish"


def whoami(user: User, token: ApiToken) -> dict[str, Any]:
    role = "write" if Scope.WRITE in token.scopes else "read"
    return {
        "type": "user",
        "id": str(user.public_id),
        "name": user.username,
        "fullname": user.display_name,
        "email": user.email,
        "isPro": False,
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": {"displayName": _label(token.name), "role": role},
        },
    }


def _label(name: str) -> str:
    """The client keeps tokens in an ini file under this name: no line breaks, no bracket."""
    return "".join("_" if c == "]" or not c.isprintable() else c for c in name).strip() or "token"
