"""URLs issued on a grant that still work when it ends, for its receipt."""

from datetime import datetime, timedelta

from django.conf import settings

from accounts.grants.models import Grant
from accounts.release_interface import Address
from weights.delivery.file_links import lifetime
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download
from weights.publishing.models import File


def on_grant(grant: Grant, now: datetime) -> list[Address]:
    """Checkpoint links, which ask the gate, and storage URLs, which do not."""
    return [*_links(grant), *_storage_addresses(grant, now)]


def _links(grant: Grant) -> list[Address]:
    links = CheckpointLink.objects.live().filter(grant=grant).select_related("checkpoint")
    return [
        Address(f"checkpoint link to {link.checkpoint}", link.expires_at, asks=True)
        for link in links.defer("plan")
        if link.expires_at is not None
    ]


def _storage_addresses(grant: Grant, now: datetime) -> list[Address]:
    """Storage URLs in the ledger: each file once, with the expiry of its last URL."""
    since = now - timedelta(seconds=settings.FILE_LINK_LIFETIME_MOST)
    rows = Download.objects.filter(
        user_id=grant.user_id, grant_id=grant.pk, at__gt=since, outcome=Download.Outcome.REDIRECTED
    )
    redirected = list(rows.order_by("at").values_list("file_id", "repo_id", "path", "at"))
    files = File.objects.filter(pk__in={file_id for file_id, *_ in redirected})
    sizes = dict(files.values_list("pk", "blob__size"))
    ends: dict[str, datetime] = {}
    for file_id, repo_id, path, at in redirected:
        life = lifetime(sizes.get(file_id or 0, 0), grant.tier.file_link_minutes)
        ends[f"{repo_id}/{path}"] = at + timedelta(seconds=life)
    return [Address(name, end, asks=False) for name, end in ends.items()]
