"""The gate's rules as one SQL statement, for the answers that most requests get.

It allows, and it refuses where the answer is plain: no such token, no such name, a stranger,
a missing file, what is private or under embargo. Whatever takes more than one look (staff, the
wording for somebody without a grant, a licence that changed) it leaves to `rules`.

Rights are read at each request and nothing is kept between two of them. The SQL is what
SQLite and PostgreSQL have in common; names and moments are bound, never written into it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.base import ModelState

from accounts.api_tokens.models import ApiToken
from accounts.audit import request_context
from accounts.grants.models import Grant
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.gate import messages, prepared
from weights.gate.caller import Caller, Refusal, TokenClaim, note_use
from weights.gate.decision import Decision
from weights.gate.rules import SHA, file_refusal, ref_name
from weights.publishing.models import File, Revision
from weights.storage.models import Blob

Record = TypeVar("Record", bound=models.Model)

_INVALID = Caller(kind="token", problem=Refusal.TOKEN_INVALID)
_EXPIRED = Caller(kind="token", problem=Refusal.TOKEN_EXPIRED)


def decide(
    caller: Caller | TokenClaim, repo_id: str, revision: str, path: str, now: datetime
) -> Decision | None:
    """The answer of `rules.decide`, its caller looked up; None where only `rules` know it."""
    return _answer(_weigh, caller, repo_id, revision, path, now)


def find(
    caller: Caller | TokenClaim, repo_id: str, revision: str, now: datetime
) -> Decision | None:
    """The answer of `rules.find` in the same way."""
    return _answer(_describe, caller, repo_id, revision, "", now)


_Rules = Callable[[Caller, "_Row", str, str, str, datetime], Decision | None]


def _answer(
    rules: _Rules,
    caller: Caller | TokenClaim,
    repo_id: str,
    revision: str,
    path: str,
    now: datetime,
) -> Decision | None:
    """What these rules say of who asks and of what the statement finds."""
    if isinstance(caller, Caller) and caller.problem is not None:
        return replace(messages.invalid(caller.problem), caller=caller)
    if not is_storable(f"{repo_id}{revision}{path}"):
        return None
    found = _ask(caller, repo_id, revision, path, now)
    known = _known(caller, found, now)
    if known.problem is not None:
        return replace(messages.invalid(known.problem), caller=known)
    answer = rules(known, found, repo_id, revision, path, now)
    if answer is None or answer.caller is known:
        return answer
    return replace(answer, caller=known)


def _known(caller: Caller | TokenClaim, found: "_Row", now: datetime) -> Caller:
    """Who asks, as the database has them now."""
    if isinstance(caller, Caller):
        return caller
    if found.token_id is None or found.token_revoked or not found.user_active:
        return _INVALID
    if _utc(found.token_ends) <= now:
        return _EXPIRED
    request_context.note_proved()
    if found.token_used is None or _utc(found.token_used) <= now - timedelta(minutes=1):
        note_use(found.token_id, found.token_used is not None, now)
    user = _loaded(User, id=found.user_id)
    token = _loaded(
        ApiToken,
        id=found.token_id,
        public_id=_uuid(found.token_name),
        user_id=found.user_id,
        scopes=_words_in(found.token_scopes),
        repositories=_words_in(found.token_repositories),
    )
    return Caller(user=user, kind="token", credential_id=str(token.public_id), token=token)


def _weigh(
    caller: Caller, found: "_Row", repo_id: str, revision_name: str, path: str, now: datetime
) -> Decision | None:
    """The rules in the order of docs/requirements.md, GT-6; None for what `rules` must answer."""
    entry = _entry(found, repo_id, now)
    if not isinstance(entry, Checkpoint):
        return entry
    checkpoint = entry
    grant = None
    if AccessMode(found.tier_mode).is_gated:
        refusal = _refusal(caller, found, repo_id)
        if refusal is not None:
            return messages.refused(refusal, checkpoint)
        if not _opens(caller, found, now):
            return None
        grant = _loaded(
            Grant,
            id=found.grant_id,
            user_id=found.user_id,
            tier_id=found.tier_id,
            state=Grant.State.ACTIVE,
            expires_at=_utc(found.grant_ends),
        )
    if found.revision_id is None or not _link_covers(caller, found.revision_id):
        return messages.no_revision(checkpoint, repo_id, revision_name)
    if found.revision_state != Revision.State.VISIBLE:
        return None  # withdrawn: when and why is worded by `rules`
    revision = _revision(found, checkpoint)
    if found.file_id is None:
        return messages.no_file(checkpoint, revision, repo_id, path)
    refusal = file_refusal(found.blob_state)
    if refusal is not None:
        return messages.refused(refusal, checkpoint, revision)
    file = _file(found, revision, path)
    return Decision(checkpoint, revision, file, grant, caller=caller)


def _describe(
    caller: Caller, found: "_Row", repo_id: str, revision_name: str, path: str, now: datetime
) -> Decision | None:
    """The rules of what all may read about; None for what `rules` must answer."""
    entry = _entry(found, repo_id, now)
    if not isinstance(entry, Checkpoint):
        return entry
    if found.revision_id is None:
        return messages.no_revision(entry, repo_id, revision_name)
    if found.revision_state != Revision.State.VISIBLE:
        return None
    return Decision(checkpoint=entry, revision=_revision(found, entry))


def _entry(found: "_Row", repo_id: str, now: datetime) -> Checkpoint | Decision | None:
    """The checkpoint, where anybody may know of it.

    One that is hidden is answered for at once, as a name that leads nowhere is: by the time
    it took, too, nobody tells the two apart. Of staff `rules` ask what they may know.
    """
    if found.checkpoint_id is None:
        return messages.no_repository(repo_id)
    if found.private or (found.embargo is not None and _utc(found.embargo) > now):
        may_know = found.user_staff and found.user_active and found.user_unsuspended
        return None if may_know else messages.no_repository(repo_id)
    if not found.published:
        return None  # whether its first files are being verified is a second look
    return _checkpoint(found, repo_id)


def _refusal(caller: Caller, found: "_Row", repo_id: str) -> Refusal | None:
    """Why a gated tier stays shut whatever grant there is."""
    if caller.user is None:
        return Refusal.LOGIN_REQUIRED
    if not (found.user_active and found.user_unsuspended and found.user_confirmed):
        return Refusal.SUSPENDED
    if caller.token is not None and not caller.token.may_read_gated(repo_id):
        return Refusal.TOKEN_SCOPE
    return None


def _opens(caller: Caller, found: "_Row", now: datetime) -> bool:
    """Whether the grant lives and its licence plainly holds."""
    if found.grant_id is None or _utc(found.grant_ends) <= now:
        return False
    if caller.grant_id is not None and caller.grant_id != found.grant_id:
        return False
    # Where another text is in force, the notice of each one since counts: `rules` read them.
    return found.licence_id is None or found.licence_id == found.grant_licence_id


def _link_covers(caller: Caller, revision_id: int) -> bool:
    """A checkpoint link reaches exactly the revision it was issued for."""
    return caller.link is None or caller.link.revision_id == revision_id


def _ask(
    caller: Caller | TokenClaim, repo_id: str, revision: str, path: str, now: datetime
) -> "_Row":
    org, _, name = repo_id.partition("/")
    who: str
    bound: list[Any]
    if isinstance(caller, TokenClaim):
        who, bound = "token", [caller.digest]
    elif caller.user is not None:
        who, bound = "person", [caller.user.pk]
    else:
        who, bound = "nobody", []
    if SHA.fullmatch(revision):
        by, named = "sha", [revision]
    else:
        short, kind = ref_name(revision)
        by, named = ("ref", [short]) if kind is None else ("full ref", [short, kind.value])
    licence = [] if who == "nobody" else [connection.ops.adapt_datetimefield_value(now)]
    found = prepared.row(_STATEMENTS[who, by], [*bound, org, name, *licence, *named, path])
    return _Row._make(found)


# -- the statement ----------------------------------------------------------------------


class _Row(NamedTuple):
    """What the statement finds; None where a name leads nowhere. Moments may lack a zone."""

    token_id: int | None
    token_name: Any
    token_scopes: str
    token_repositories: str
    token_ends: datetime
    token_revoked: datetime | None
    token_used: datetime | None
    user_id: int | None
    user_active: bool
    user_unsuspended: bool
    user_confirmed: bool
    user_staff: bool
    grant_id: int | None
    grant_ends: datetime
    grant_licence_id: int
    licence_id: int | None
    checkpoint_id: int | None
    private: bool
    embargo: datetime | None
    published: datetime | None
    tier_id: int
    tier_slug: str
    tier_mode: str
    tier_minutes: int
    revision_id: int | None
    revision_sha: str
    revision_state: str
    revision_visible: datetime | None
    revision_created: datetime
    file_id: int | None
    file_lfs: bool
    file_git_oid: str
    blob_id: int
    blob_sha256: str
    blob_size: int
    blob_state: str
    blob_version: str
    blob_mark: str
    blob_version_in: str


_CREDENTIAL_COLUMNS = (
    "t.id, t.public_id, t.scopes, t.repositories, t.expires_at, t.revoked_at, t.last_used_at"
)
_USER_COLUMNS = (
    "u.id, u.is_active, u.suspended_at IS NULL,"
    " EXISTS (SELECT 1 FROM account_emailaddress e WHERE e.user_id = u.id AND e.verified),"
    " u.is_staff,"
    " g.id, g.expires_at, g.licence_version_id, v.id"
)
_OTHER_COLUMNS = (
    "c.id, c.private, c.embargo_until, c.published_at,"
    " k.id, k.slug, k.mode, k.file_link_minutes,"
    " r.id, r.sha, r.state, r.visible_at, r.created_at,"
    " f.id, f.lfs, f.git_oid, b.id, b.sha256, b.size, b.state, b.version, b.mark,"
    " b.version_in"
)
_CHECKPOINT = (
    " LEFT JOIN weights_checkpoint c ON c.org = %s AND c.name = %s"
    " LEFT JOIN accounts_tier k ON k.id = c.tier_id"
)
# At most one grant of a person and tier is active, by constraint.
_RIGHT = (
    " LEFT JOIN accounts_grant g"
    " ON g.user_id = u.id AND g.tier_id = c.tier_id AND g.state = 'active'"
    " LEFT JOIN accounts_licenceversion v ON v.id ="
    " (SELECT n.id FROM accounts_licenceversion n"
    " WHERE n.licence_id = k.licence_id AND n.effective_at <= %s"
    " ORDER BY n.effective_at DESC LIMIT 1)"
)
_FILE = (
    " LEFT JOIN weights_file f ON f.revision_id = r.id AND f.path = %s"
    " LEFT JOIN weights_blob b ON b.id = f.blob_id"
)
_TOLD = (
    " AND r.checkpoint_id = c.id"
    " AND (r.state = 'visible' OR (r.state = 'withdrawn' AND r.visible_at IS NOT NULL))"
)


def _nulls(count: int) -> str:
    return ", ".join(["NULL"] * count)


#: Columns, the person asking, and the right that the person has.
_WHO = {
    "token": (
        f"{_CREDENTIAL_COLUMNS}, {_USER_COLUMNS}",
        " LEFT JOIN accounts_apitoken t ON t.digest = %s"
        " LEFT JOIN accounts_user u ON u.id = t.user_id",
        _RIGHT,
    ),
    "person": (f"{_nulls(7)}, {_USER_COLUMNS}", " LEFT JOIN accounts_user u ON u.id = %s", _RIGHT),
    "nobody": (_nulls(16), "", ""),
}
_REVISION = {
    "sha": f" LEFT JOIN weights_revision r ON r.sha = %s{_TOLD}",
    "ref": (
        " LEFT JOIN weights_ref a ON a.checkpoint_id = c.id AND a.name = %s"
        f" LEFT JOIN weights_revision r ON r.id = a.revision_id{_TOLD}"
    ),
    "full ref": (
        " LEFT JOIN weights_ref a ON a.checkpoint_id = c.id AND a.name = %s AND a.kind = %s"
        f" LEFT JOIN weights_revision r ON r.id = a.revision_id{_TOLD}"
    ),
}
#: Joined to one row of nothing, so that an answer always has exactly one row.
_STATEMENTS = {
    (who, by): f"SELECT {columns}, {_OTHER_COLUMNS} FROM (SELECT 1) AS asked"  # noqa: S608
    f"{person}{_CHECKPOINT}{right}{revision}{_FILE}"
    for who, (columns, person, right) in _WHO.items()
    for by, revision in _REVISION.items()
}


# -- records of what was found ----------------------------------------------------------


def _loaded(model: type[Record], **facts: Any) -> Record:
    """A record as `from_db` makes it of some columns, at a tenth of the cost.

    Other fields are read when asked for.
    """
    record = model.__new__(model)
    record._state = ModelState()
    record._state.adding, record._state.db = False, DEFAULT_DB_ALIAS
    record.__dict__.update(facts)
    return record


def _checkpoint(found: _Row, repo_id: str) -> Checkpoint:
    tier = _loaded(
        Tier,
        id=found.tier_id,
        slug=found.tier_slug,
        mode=found.tier_mode,
        file_link_minutes=found.tier_minutes,
    )
    org, _, name = repo_id.partition("/")
    checkpoint = _loaded(
        Checkpoint,
        id=found.checkpoint_id,
        org=org,
        name=name,
        tier_id=found.tier_id,
        private=bool(found.private),
    )
    _join(checkpoint, "tier", tier)
    return checkpoint


def _revision(found: _Row, checkpoint: Checkpoint) -> Revision:
    seen = found.revision_visible
    revision = _loaded(
        Revision,
        id=found.revision_id,
        checkpoint_id=found.checkpoint_id,
        sha=found.revision_sha,
        state=Revision.State.VISIBLE,
        created_at=_utc(found.revision_created),
        visible_at=None if seen is None else _utc(seen),
    )
    _join(revision, "checkpoint", checkpoint)
    return revision


def _file(found: _Row, revision: Revision, path: str) -> File:
    blob = _loaded(
        Blob,
        id=found.blob_id,
        sha256=found.blob_sha256,
        size=found.blob_size,
        state=found.blob_state,
        version=found.blob_version,
        mark=found.blob_mark,
        version_in=found.blob_version_in,
    )
    file = _loaded(
        File,
        id=found.file_id,
        revision_id=found.revision_id,
        path=path,
        blob_id=found.blob_id,
        lfs=bool(found.file_lfs),
        git_oid=found.file_git_oid,
    )
    _join(file, "blob", blob)
    _join(file, "revision", revision)
    return file


def _join(record: models.Model, name: str, other: models.Model) -> None:
    """What `select_related` does: the other record is there without a query."""
    record._state.fields_cache[name] = other


def _utc(moment: datetime) -> datetime:
    """SQLite gives moments without their zone, which is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _uuid(found: Any) -> UUID:
    """SQLite gives the hex digits."""
    return found if isinstance(found, UUID) else UUID(found)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _words_in(text: str) -> list[str]:
    return list(_parsed(text))
