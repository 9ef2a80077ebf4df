"""File links: one signed, expiring address for one file (docs/requirements.md, UR)."""

from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.audit import request_context
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.web.sanitize import is_storable
from weights import gate
from weights.delivery import signed_claims
from weights.errors import GateRefused, WeightsCode
from weights.event_tags import WeightsEvent
from weights.gate.caller import Caller
from weights.gate.refusals import Refusal
from weights.publishing.models import File, Revision

_RATE = 1_000_000  # bytes a second that the lifetime of a link allows for
_LEAST = 15 * 60  # seconds


def lifetime(size: int, tier_minutes: int) -> int:
    """Seconds that a file of `size` bytes takes at 1 MB/s, at least 15 and at most 60 minutes.

    A tier may set a lower limit (docs/requirements.md, UR-1).
    """
    seconds = min(max(_LEAST, -(-size // _RATE)), settings.FILE_LINK_LIFETIME_MOST)
    return min(seconds, tier_minutes * 60)


def address(file: File, grant: Grant | None, expires: datetime) -> str:
    """The absolute, signed address of one file."""
    return Addresses(file.revision, grant).of(file, int(expires.timestamp()))


class Addresses:
    """Signed addresses of one revision's files; what they share is computed once."""

    def __init__(self, revision: Revision, grant: Grant | None) -> None:
        folder = quote(f"/f/{revision.checkpoint.repo_id}/{revision.sha}/")
        self._folder = f"{settings.PUBLIC_URL}{folder}"
        self._signer = signed_claims.FileSigner(
            settings.LINK_KEYS, str(grant.pk) if grant else "open"
        )

    def of(self, file: File, expires: int) -> str:
        """The address of one file until `expires`, in Unix seconds."""
        query = self._signer.query(file.id, file.blob.sha256, expires)
        return f"{self._folder}{_quoted(file.path)}?{query}"


#: Each link of a revision signs the same paths.
_quoted = lru_cache(maxsize=8192)(quote)


def issue(
    caller: Caller, repo_id: str, revision: str, path: str, seconds: int | None = None
) -> str:
    """Issue a file link to a caller whom the gate allows the file.

    Raises GateRefused with the gate's code; `seconds` outside 1 to 3600 with `bad_lifetime`.
    """
    if seconds is not None and not 1 <= seconds <= settings.FILE_LINK_LIFETIME_MOST:
        most = settings.FILE_LINK_LIFETIME_MOST
        raise GateRefused(WeightsCode.BAD_LIFETIME, f"a file link lives 1 to {most} seconds")
    now = timezone.now()
    decision = gate.decide(caller, repo_id, revision, path, now)
    decision.demand_allowed()
    file = decision.file
    assert file is not None  # an allowed decision about a file names it
    tier = file.revision.checkpoint.tier
    life = lifetime(file.size, tier.file_link_minutes) if seconds is None else seconds
    expires = now + timedelta(seconds=life)
    AuditEvent.record(
        WeightsEvent.FILE_LINK_ISSUED,
        actor=caller.user,
        target=file.revision.checkpoint,
        credential=caller.credential,
        details={"path": path, "revision": file.revision.sha, "expires": expires.isoformat()},
    )
    return address(file, decision.grant, expires)


#: As a queryset it costs more than the rest of the request (bench/serving.py, first byte).
_SIGNED = """
    SELECT f.id, b.sha256
    FROM weights_file f
    JOIN weights_blob b ON b.id = f.blob_id
    JOIN weights_revision r ON r.id = f.revision_id
    JOIN weights_checkpoint c ON c.id = r.checkpoint_id
    WHERE r.sha = %s AND c.org = %s AND c.name = %s AND f.path = %s
"""


def caller_of(repo_id: str, sha: str, path: str, raw_query: str, now: datetime) -> Caller:
    """The caller that a file link proves, checked in the order pattern, key, signature, expiry.

    Raises signed_claims.BadSignature, also when no file has this name. An expired link returns
    a caller with the problem LINK_EXPIRED.
    """
    query = signed_claims.parse_file_query(raw_query)
    claim = signed_claims.FileClaim(*_signed_facts(repo_id, sha, path), query.grant, query.expires)
    signed_claims.check_file(claim, query, settings.LINK_KEYS)
    request_context.mark_authenticated()
    expired = Refusal.LINK_EXPIRED if query.expires <= now.timestamp() else None
    name = f"{query.key_id}:{query.signature[:8]}"
    if query.grant == "open":
        return Caller(kind="file-link", credential_id=name, problem=expired)
    grant = Grant.objects.select_related("user").filter(pk=int(query.grant)).first()
    if grant is None:
        raise signed_claims.BadSignature("the grant is gone")
    closed = None if grant.user.is_active else Refusal.LINK_REVOKED
    return Caller(
        user=grant.user,
        kind="file-link",
        credential_id=name,
        grant_id=grant.pk,
        problem=expired or closed,
    )


def _signed_facts(repo_id: str, sha: str, path: str) -> tuple[int, str]:
    """The id and SHA-256 of the file that an address names; raises BadSignature for none."""
    org, _, name = repo_id.partition("/")
    if not is_storable(f"{repo_id}/{sha}/{path}"):
        raise signed_claims.BadSignature("no such file")
    with connection.cursor() as cursor:
        cursor.execute(_SIGNED, [sha, org, name, path])
        found = cursor.fetchone()
    if found is None:
        raise signed_claims.BadSignature("no such file")
    return int(found[0]), str(found[1])
