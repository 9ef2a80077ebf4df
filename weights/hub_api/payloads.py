"""The Hub's JSON, in the Hub's spellings."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.utils import timezone

from accounts.models import ApiToken, User
from accounts.models.token import Scope
from accounts.tiers import AccessMode
from weights import front_matter
from weights.errors import BlobMissing, StorageUnavailable
from weights.hub_api.listings import Entry, Listing
from weights.models import Blob, Checkpoint, Download, File, Ref, Revision
from weights.storage import blob_storage

GATED: dict[AccessMode, str | bool] = {
    AccessMode.OPEN: False,
    AccessMode.CLICK_THROUGH: "auto",
    AccessMode.REVIEWED: "manual",
}
_CARD = "README.md"
_CARD_BYTES = 256 * 1024
_COUNTED = timedelta(days=30)  # as the Hub counts downloads


def date(moment: datetime) -> str:
    """`2026-11-23T21:07:35.000Z`: the clients read no other form."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def model_info(
    checkpoint: Checkpoint, revision: Revision, listing: Listing, *, blobs: bool
) -> dict[str, Any]:
    card = _card_data(revision)
    return {
        "id": checkpoint.repo_id,
        "modelId": checkpoint.repo_id,
        "author": checkpoint.org,
        "sha": revision.sha,
        "lastModified": date(revision.visible_at or revision.created_at),
        "createdAt": date(checkpoint.created_at),
        "private": checkpoint.private,
        "disabled": False,
        "gated": GATED[checkpoint.tier.access_mode],
        "downloads": _downloads(checkpoint),
        "likes": 0,
        "tags": _tags(card),
        "cardData": card,
        "usedStorage": revision.total_bytes,
        "siblings": [_sibling(entry, blobs=blobs) for entry in listing.files()],
        **{name: card[name] for name in ("pipeline_tag", "library_name") if _is_word(card, name)},
    }


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


def tree_entry(entry: Entry) -> dict[str, Any]:
    if entry.is_folder:
        return {"type": "directory", "path": entry.path, "oid": entry.oid, "size": 0}
    told: dict[str, Any] = {
        "type": "file",
        "path": entry.path,
        "oid": entry.oid,
        "size": entry.size,
    }
    if entry.sha256:
        told["lfs"] = {
            "oid": entry.sha256,
            "size": entry.size,
            "pointerSize": entry.pointer_size,
        }
    return told


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
    title, _, message = revision.message.partition("\n")
    title = title or "Publish"
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


# -- what the card says --------------------------------------------------------------------


def _card_data(revision: Revision) -> dict[str, Any]:
    """The front matter of the revision's README.md; empty where it cannot be read."""
    verified = File.objects.filter(blob__state=Blob.State.VERIFIED)
    sha256 = (
        verified.filter(revision=revision, path=_CARD).values_list("blob__sha256", flat=True)
    ).first()
    if sha256 is None:
        return {}
    try:
        return _front_matter(sha256)
    except (BlobMissing, StorageUnavailable, OSError):
        return {}


@lru_cache(maxsize=256)
def _front_matter(sha256: str) -> dict[str, Any]:
    text = blob_storage().excerpt(sha256, _CARD_BYTES).decode(errors="replace")
    return front_matter.split(text)[0]


def _tags(card: dict[str, Any]) -> list[str]:
    """The card's own tags, and those that the Hub derives from its other lines."""
    tags = [tag for tag in _list(card.get("tags")) if isinstance(tag, str)]
    for name in ("library_name", "pipeline_tag"):
        if _is_word(card, name):
            tags.append(card[name])
    tags += [language for language in _list(card.get("language")) if isinstance(language, str)]
    if _is_word(card, "license"):
        tags.append(f"license:{card['license']}")
    return list(dict.fromkeys(tags))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_word(card: dict[str, Any], name: str) -> bool:
    return isinstance(card.get(name), str)


def _downloads(checkpoint: Checkpoint) -> int:
    given = Download.objects.exclude(outcome=Download.Outcome.REFUSED)
    return given.filter(
        checkpoint_id=checkpoint.pk, at__gte=timezone.now() - _COUNTED, start=0
    ).count()
