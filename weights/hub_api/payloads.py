"""JSON payloads with the Hub's property names."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from accounts.api_tokens.models import ApiToken, Scope
from accounts.tiers.access_modes import AccessMode
from accounts.users.models import User
from weights.catalogue.file_facts import RevisionFacts
from weights.hub_api.git_trees import Entry, Listing
from weights.hub_api.model_search import SearchResult
from weights.inspection import families
from weights.inspection.models import Inspection
from weights.publishing.models import Ref, Revision

#: What the Hub shows of a `config.json`.
_HUB_CONFIG = ("architectures", "model_type")
GATED: dict[AccessMode, str | bool] = {
    AccessMode.OPEN: False,
    AccessMode.CLICK_THROUGH: "auto",
    AccessMode.REVIEWED: "manual",
}


def date(moment: datetime) -> str:
    """`2026-11-23T21:07:35.000Z`: clients parse no other form."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def model_info(result: SearchResult, siblings: list[dict[str, Any]] | None) -> dict[str, Any]:
    """All properties of a model; without `siblings`, its files are left out."""
    checkpoint, card, config = result.checkpoint, result.facts.card, result.facts.config
    payload: dict[str, Any] = {
        "id": checkpoint.repo_id,
        "modelId": checkpoint.repo_id,
        "author": checkpoint.org,
        "createdAt": date(checkpoint.created_at),
        "private": checkpoint.private,
        "disabled": False,
        "gated": GATED[checkpoint.tier.access_mode],
        "downloads": result.downloads,
        "likes": 0,
        "tags": result.facts.tags,
        "cardData": card,
        "config": {name: config[name] for name in _HUB_CONFIG if name in config},
    }
    if result.revision is not None:
        payload |= {
            "sha": result.revision.sha,
            "lastModified": _published_at(result.revision),
            "usedStorage": result.revision.total_bytes,
        }
    payload |= _tensors(result.facts)
    if siblings is not None:
        payload["siblings"] = siblings
    labels = {name: card.get(name) for name in ("pipeline_tag", "library_name")}
    return payload | {name: label for name, label in labels.items() if isinstance(label, str)}


def _tensors(facts: RevisionFacts) -> dict[str, Any]:
    """The property that the Hub names after the counted format; none for other formats."""
    counted = facts.measured
    if counted is None or not counted.tensor_types:
        return {}
    if counted.counted_from == "safetensors":
        return {"safetensors": {"parameters": facts.parameters, "total": facts.total}}
    if counted.counted_from == "gguf":
        stated = {
            "architecture": counted.architecture.get("model_type"),
            "context_length": counted.architecture.get("context_length"),
        }
        return {"gguf": {"total": facts.total} | {k: v for k, v in stated.items() if v}}
    return {}


def _published_at(revision: Revision) -> str:
    return date(revision.visible_at or revision.created_at)


def select_properties(payload: dict[str, Any], properties: Iterable[str]) -> dict[str, Any]:
    """The payload's `id` and those of `properties` that it has."""
    names = {"id", *properties}
    return {name: value for name, value in payload.items() if name in names}


def siblings(listing: Listing, *, blobs: bool) -> list[dict[str, Any]]:
    """Every file of a revision by name; with `blobs`, sizes and hashes too."""
    return [_sibling(entry, blobs=blobs) for entry in listing.files()]


def _sibling(entry: Entry, *, blobs: bool) -> dict[str, Any]:
    payload: dict[str, Any] = {"rfilename": entry.path}
    if blobs:
        payload |= {"size": entry.size, "blobId": entry.oid}
        if entry.sha256:
            payload["lfs"] = _lfs(entry, "sha256")
    return payload


def _lfs(entry: Entry, hash_name: str) -> dict[str, Any]:
    return {hash_name: entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}


def tree_entry(
    entry: Entry, last: Revision | None = None, inspection: Inspection | None = None
) -> dict[str, Any]:
    """A file or folder; with `last`, the revision that changed it last and its inspection."""
    payload: dict[str, Any] = {
        "type": "directory" if entry.is_folder else "file",
        "path": entry.path,
        "oid": entry.oid,
        "size": 0 if entry.is_folder else entry.size,
    }
    if last is not None:
        payload["lastCommit"] = {
            "id": last.sha,
            "title": last.title,
            "date": _published_at(last),
        }
        if not entry.is_folder:
            payload["securityFileStatus"] = file_security(inspection)
    if entry.sha256:
        payload["lfs"] = _lfs(entry, "oid")
    return payload


def file_security(inspection: Inspection | None) -> dict[str, Any]:
    """A file's inspection as `securityFileStatus`; the portal runs no virus scanner."""
    status = security_level(inspection)
    import_scan: dict[str, Any] | None = None
    if inspection is not None and (inspection.family == families.PICKLE or inspection.imports):
        allowed = status == "safe"
        import_scan = {
            "status": "innocuous" if allowed else status,
            "pickleImports": [_pickle_import(name, allowed=allowed) for name in inspection.imports],
        }
    return {
        "status": status,
        "avScan": {"status": "unscanned"},
        "pickleImportScan": import_scan,
    }


def security_level(inspection: Inspection | None) -> str:
    """`safe`, `unscanned`, `unsafe`; `caution` for code; `suspicious` for an overridden refusal."""
    if inspection is None or inspection.outcome == Inspection.Outcome.NOT_INSPECTED:
        return "unscanned"
    if inspection.outcome == Inspection.Outcome.INSPECTED:
        return "safe"
    if inspection.outcome == Inspection.Outcome.CODE:
        return "caution"
    return "suspicious" if inspection.is_overridden else "unsafe"


def _pickle_import(name: str, *, allowed: bool) -> dict[str, str]:
    module, _, attribute = name.rpartition(".")
    safety = "innocuous" if allowed else "suspicious"
    return {"module": module, "name": attribute, "safety": safety}


def repository_security(inspections: dict[str, Inspection], file_count: int) -> dict[str, Any]:
    """Summary of a revision's inspections by path; `file_count` counts all of its files."""
    levels = {path: security_level(one) for path, one in sorted(inspections.items())}
    return {
        "scansDone": len(inspections) == file_count,
        "filesWithIssues": [
            {"path": path, "level": level}
            for path, level in levels.items()
            if level in {"suspicious", "unsafe"}
        ],
    }


def refs(rows: Iterable[Ref]) -> dict[str, list[dict[str, str]]]:
    """Branches and tags; `converts` is always empty."""
    payload: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": []}
    for ref in rows:
        is_branch = ref.kind == Ref.Kind.BRANCH
        payload["branches" if is_branch else "tags"].append(
            {
                "name": ref.name,
                "ref": f"refs/{'heads' if is_branch else 'tags'}/{ref.name}",
                "targetCommit": ref.revision.sha,
            }
        )
    return payload


def commit(revision: Revision, *, formatted: bool) -> dict[str, Any]:
    title, message = revision.title, revision.explanation
    payload: dict[str, Any] = {
        "id": revision.sha,
        "authors": [{"user": revision.author.username}] if revision.author else [],
        "date": _published_at(revision),
        "title": title,
        "message": message,
    }
    if formatted:
        payload["formatted"] = {"title": title, "message": message}
    return payload


def whoami(user: User, token: ApiToken) -> dict[str, Any]:
    may_write = Scope.WRITE in token.scopes and not token.must_be_replaced
    role = "write" if may_write else "read"
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
            "accessToken": {"displayName": _ini_section(token.name), "role": role},
        },
    }


def _ini_section(name: str) -> str:
    """The token's name without line breaks and `]`: the client uses it as an INI section."""
    return "".join("_" if c == "]" or not c.isprintable() else c for c in name).strip() or "token"
