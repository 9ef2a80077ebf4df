"""File links: one signed, expiring URL for one file (docs/requirements.md, UR)."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.audit import request_context
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.users.models import User
from accounts.web.sanitize import is_storable
from weights import gate
from weights.delivery import signed_claims
from weights.errors import GateRefused, WeightsCode
from weights.event_tags import WeightsEvent
from weights.gate.caller import Caller
from weights.gate.refusals import Refusal
from weights.publishing.models import File, Revision

_RATE = 1_000_000  # bytes per second, assumed for the lifetime of a link
_LEAST = 15 * 60  # seconds


def lifetime(size: int, tier_minutes: int) -> int:
    """Seconds to download `size` bytes at 1 MB/s, but between 15 and 60 minutes.

    A tier may set a lower limit (docs/requirements.md, UR-1).
    """
    return min(max(_LEAST, -(-size // _RATE)), _longest(tier_minutes))


def expiry(
    size: int,
    tier_minutes: int,
    now: datetime,
    *limits: datetime | None,
    seconds: int | None = None,
) -> datetime:
    """When a file's URL that is issued `now` expires, whatever the route and store.

    That is after `seconds`, by default after its `lifetime`, but no later than any of the `limits`
    (see `ends_of`). Raises GateRefused with `bad_lifetime` if `seconds` exceed the tier's limit.
    """
    longest = _longest(tier_minutes)
    if seconds is not None and not 1 <= seconds <= longest:
        raise GateRefused(
            WeightsCode.BAD_LIFETIME, f"this tier's file links last 1 to {longest} seconds"
        )
    life = lifetime(size, tier_minutes) if seconds is None else seconds
    ends = [now + timedelta(seconds=life), *(limit for limit in limits if limit is not None)]
    return min(ends)


def ends_of(grant: Grant | None, caller: Caller) -> list[datetime | None]:
    """When the grant, token and link behind a download end, as limits for `expiry`."""
    return [behind.expires_at if behind else None for behind in (grant, caller.token, caller.link)]


def _longest(tier_minutes: int) -> int:
    """The longest lifetime of a URL in seconds."""
    return min(settings.FILE_LINK_LIFETIME_MOST, tier_minutes * 60)


class Addresses:
    """Signed URLs of one revision's files; their common parts are computed once.

    They end with the caller's credential: with the token or, without one, when the person's
    password changes.
    """

    def __init__(self, revision: Revision, grant: Grant | None, caller: Caller) -> None:
        folder = quote(f"/f/{revision.checkpoint.repo_id}/{revision.sha}/")
        self._folder = f"{settings.PUBLIC_URL}{folder}"
        right = signed_claims.right_of(
            grant.pk if grant else None,
            caller.token.pk if caller.token else None,
            _password_mark(caller.user) if grant and caller.user and not caller.token else "",
        )
        self._signer = signed_claims.FileSigner(settings.LINK_KEYS, right)

    def of(self, file: File, expires: int) -> str:
        """The URL of one file until `expires`, in Unix seconds."""
        query = self._signer.query(file.id, file.blob.sha256, expires)
        return f"{self._folder}{_quoted(file.path)}?{query}"


#: Cached, since all links of a revision use the same paths.
_quoted = lru_cache(maxsize=8192)(quote)


def _password_mark(user: User) -> str:
    """16 hex digits that change with the password."""
    return salted_hmac("weights.file_link", user.password, algorithm="sha256").hexdigest()[:16]


def issue(
    caller: Caller, repo_id: str, revision: str, path: str, seconds: int | None = None
) -> str:
    """Issue a file link to a caller who may fetch the file.

    It lasts `seconds`, by default as long as its size requires. Raises GateRefused with the gate's
    code, or with `bad_lifetime` beyond the tier's limit.
    """
    now = timezone.now()
    decision = gate.decide(caller, repo_id, revision, path, now)
    decision.demand_published(revision)
    file, grant = decision.file, decision.grant
    assert file is not None  # an allowed decision about a file names it
    minutes = file.revision.checkpoint.tier.file_link_minutes
    expires = expiry(file.size, minutes, now, *ends_of(grant, caller), seconds=seconds)
    AuditEvent.record(
        WeightsEvent.FILE_LINK_ISSUED,
        actor=caller.user,
        target=file.revision.checkpoint,
        credential=caller.credential,
        details={"path": path, "revision": file.revision.sha, "expires": expires.isoformat()},
    )
    return Addresses(file.revision, grant, caller).of(file, int(expires.timestamp()))


#: Raw SQL, since a queryset would cost more than the rest of the request (bench/serving.py).
_SIGNED = """
    SELECT f.id, b.sha256, t.user_id, u.is_active,
        t.revoked_at IS NULL AND t.expires_at > %s
    FROM weights_file f
    JOIN weights_blob b ON b.id = f.blob_id
    JOIN weights_revision r ON r.id = f.revision_id
    JOIN weights_checkpoint c ON c.id = r.checkpoint_id
    LEFT JOIN accounts_apitoken t ON t.id = %s
    LEFT JOIN accounts_user u ON u.id = t.user_id
    WHERE r.sha = %s AND c.org = %s AND c.name = %s AND f.path = %s
"""


class _SignedFacts(NamedTuple):
    """The file of a signed URL, and the token behind it, if any."""

    file_id: int
    sha256: str
    user_id: int | None
    user_active: bool | None
    token_valid: bool | None


def caller_of(repo_id: str, sha: str, path: str, raw_query: str, now: datetime) -> Caller:
    """The caller of a file link, which is checked in the order pattern, key, signature, expiry.

    Raises signed_claims.BadSignature, also if there is no such file. The caller has the problem
    LINK_EXPIRED if the link has expired, and LINK_REVOKED if its credential has ended.
    """
    query = signed_claims.parse_file_query(raw_query)
    facts = _signed_facts(repo_id, sha, path, query.token_id, now)
    claim = signed_claims.FileClaim(facts.file_id, facts.sha256, query.right, query.expires)
    signed_claims.check_file(claim, query, settings.LINK_KEYS)
    request_context.mark_authenticated()
    problem = Refusal.LINK_EXPIRED if query.expires <= now.timestamp() else None
    user = None
    if query.token_id is not None:
        user = _by_id(facts.user_id)
        holds = facts.token_valid and facts.user_active
    elif query.grant_id is not None:
        user = _holder(query.grant_id)
        holds = user.is_active and query.password in {"", _password_mark(user)}
    else:
        holds = True
    return Caller(
        user=user,
        kind="file-link",
        credential_id=f"{query.key_id}:{query.signature[:8]}",
        grant_id=query.grant_id,
        problem=problem or (None if holds else Refusal.LINK_REVOKED),
    )


def _holder(grant_id: int) -> User:
    grant = Grant.objects.select_related("user").filter(pk=grant_id).first()
    if grant is None:
        raise signed_claims.BadSignature("the grant is gone")
    return grant.user


def _by_id(user_id: int | None) -> User | None:
    """An account with its other columns deferred; None without an id."""
    return None if user_id is None else User.from_db(DEFAULT_DB_ALIAS, ["id"], [user_id])


def _signed_facts(
    repo_id: str, sha: str, path: str, token_id: int | None, now: datetime
) -> _SignedFacts:
    """The file of a signed URL and its token; raises BadSignature if there is no such file."""
    org, _, name = repo_id.partition("/")
    if not is_storable(f"{repo_id}/{sha}/{path}"):
        raise signed_claims.BadSignature("no such file")
    bound = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_SIGNED, [bound, token_id, sha, org, name, path])
        found = cursor.fetchone()
    if found is None:
        raise signed_claims.BadSignature("no such file")
    return _SignedFacts(*found)
