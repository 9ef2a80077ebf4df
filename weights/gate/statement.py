"""The one SQL statement that reads what the gate's rules need for the usual decision.

Rights are read at each request, and nothing is cached between requests. The SQL is the
common subset of SQLite and PostgreSQL; names and times are bound parameters.

It bypasses Django's cursor. PostgreSQL takes several times as long to plan it as to run it, so
it is prepared once per connection. On SQLite, Django's overhead would take as long as the
statement.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections

from accounts.api_tokens.models import Scope
from accounts.tiers.access_modes import AccessMode
from accounts.web.sanitize import is_storable
from weights.gate.caller import Caller, TokenClaim
from weights.gate.facts import Facts
from weights.publishing.queries import SHA, ref_name


class Row(NamedTuple):
    """A row of the statement; ids are None for missing names. SQLite's times lack a time zone."""

    token_id: int | None
    token_name: Any
    token_scopes: str
    token_repositories: str
    token_expires: datetime | None
    token_revoked: datetime | None
    token_used: datetime | None
    user_id: int | None
    user_active: bool
    user_suspended: datetime | None
    address_confirmed: bool
    user_staff: bool
    grant_id: int | None
    grant_expires: datetime | None
    accepted_id: int | None
    licence_version_id: int | None
    checkpoint_id: int | None
    private: bool
    embargo_until: datetime | None
    published_at: datetime | None
    checkpoint_created: datetime
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
    blob_cause: str


def ask(caller: Caller | TokenClaim, repo_id: str, revision: str, path: str, now: datetime) -> Row:
    """Look up the caller, their grant, and the names as requested; an empty name finds nothing.

    A name that a database cannot store is treated as empty.
    """
    if not is_storable(f"{repo_id}{revision}{path}"):
        repo_id, revision, path = (
            name if is_storable(name) else "" for name in (repo_id, revision, path)
        )
    org, _, name = repo_id.partition("/")
    who: str
    values: list[Any]
    if isinstance(caller, TokenClaim):
        who, values = "token", [caller.digest, org, name, _bound(now)]
    elif caller.user is not None:
        who, values = "person", [caller.user.pk, org, name, _bound(now)]
    else:
        who, values = "nobody", [org, name]
    if SHA.fullmatch(revision):
        by, named = "sha", [revision]
    else:
        short, kind = ref_name(revision)
        by, named = ("ref", [short]) if kind is None else ("full ref", [short, kind.value])
    return Row._make(_first_row(_STATEMENTS[who, by], [*values, *named, path]))


def facts_of(
    row: Row, caller: Caller, repo_id: str, revision: str = "", *, by_token: bool
) -> Facts:
    """The row as plain values for the rules; `by_token` if the row was looked up by token."""
    facts = object.__new__(Facts)  # the generated __init__ takes three times as long
    facts.__dict__.update(
        by_token=by_token,
        token_expires=utc(row.token_expires),
        token_revoked=row.token_revoked is not None,
        token_covers=caller.token is None or caller.token.may_read_gated(repo_id),
        link_grant_id=caller.grant_id,
        link_revision_id=caller.link.revision_id if caller.link is not None else None,
        user_id=row.user_id,
        user_active=row.user_active,
        user_suspended=row.user_suspended is not None,
        address_confirmed=row.address_confirmed,
        is_staff=row.user_staff,
        may_own=row.user_staff and _may_own(row, caller, repo_id, revision),
        checkpoint_id=row.checkpoint_id,
        private=row.private,
        embargo_until=utc(row.embargo_until),
        published=row.published_at is not None,
        gated=row.tier_mode != AccessMode.OPEN,
        grant_id=row.grant_id,
        grant_expires=utc(row.grant_expires),
        licence_replaced=row.licence_version_id not in {None, row.accepted_id},
        revision_id=row.revision_id,
        withdrawn=row.revision_state == "withdrawn",
        file_id=row.file_id,
        blob_state=row.blob_state,
    )
    return facts


def _may_own(row: Row, caller: Caller, repo_id: str, revision: str) -> bool:
    """True if only the person's roles decide whether they may access a draft."""
    if not row.user_active or row.user_suspended is not None:
        return False
    names_commit = SHA.fullmatch(revision) is not None
    if names_commit and row.revision_id is not None:
        return False
    if caller.kind == "session":
        return names_commit
    token = caller.token
    return token is not None and Scope.WRITE in token.scopes and token.covers(repo_id)


def utc(moment: datetime | None) -> datetime | None:
    """Adds the time zone to SQLite's times, which are in UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


# -- running it -------------------------------------------------------------------------


def _bound(now: datetime) -> Any:
    return connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(now)


def _first_row(sql: str, values: Sequence[Any]) -> tuple[Any, ...]:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    if connection.queries_logged:  # in tests and while debugging
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return tuple(cursor.fetchone())
    with connection.wrap_database_errors:
        if connection.vendor == "sqlite":
            found = connection.connection.execute(_for_sqlite(sql), values).fetchone()
        else:
            with _psycopg().Cursor(connection.connection) as cursor:
                # If `prepare_threshold` is None, psycopg does not prepare it.
                found = cursor.execute(sql, values, prepare=True).fetchone()
    return tuple(found)


@cache
def _for_sqlite(sql: str) -> str:
    return sql.replace("%s", "?")


@cache
def _psycopg() -> Any:
    # Loaded only for PostgreSQL, since it costs a process 9 MB and a tenth of a second.
    return import_module("psycopg")


# -- the SQL ----------------------------------------------------------------------------

_CREDENTIAL_COLUMNS = (
    "t.id, t.public_id, t.scopes, t.repositories, t.expires_at, t.revoked_at, t.last_used_at"
)
_USER_COLUMNS = (
    "u.id, u.is_active, u.suspended_at,"
    " EXISTS (SELECT 1 FROM account_emailaddress e WHERE e.user_id = u.id AND e.verified),"
    " u.is_staff,"
    " g.id, g.expires_at, g.licence_version_id, v.id"
)
_OTHER_COLUMNS = (
    "c.id, c.private, c.embargo_until, c.published_at, c.created_at,"
    " k.id, k.slug, k.mode, k.file_link_minutes,"
    " r.id, r.sha, r.state, r.visible_at, r.created_at,"
    " f.id, f.lfs, f.git_oid, b.id, b.sha256, b.size, b.state, b.version, b.mark,"
    " b.version_in, b.quarantine_cause"
)
_CHECKPOINT = (
    " LEFT JOIN weights_checkpoint c ON c.org = %s AND c.name = %s"
    " LEFT JOIN accounts_tier k ON k.id = c.tier_id"
)
# A constraint allows only one active grant per person and tier.
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
_SHOWN = (
    " AND r.checkpoint_id = c.id"
    " AND (r.state = 'visible' OR (r.state = 'withdrawn' AND r.visible_at IS NOT NULL))"
)


def _nulls(count: int) -> str:
    return ", ".join(["NULL"] * count)


#: Columns and joins of the person and their right, by how the caller is identified.
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
    "sha": f" LEFT JOIN weights_revision r ON r.sha = %s{_SHOWN}",
    "ref": (
        " LEFT JOIN weights_ref a ON a.checkpoint_id = c.id AND a.name = %s"
        f" LEFT JOIN weights_revision r ON r.id = a.revision_id{_SHOWN}"
    ),
    "full ref": (
        " LEFT JOIN weights_ref a ON a.checkpoint_id = c.id AND a.name = %s AND a.kind = %s"
        f" LEFT JOIN weights_revision r ON r.id = a.revision_id{_SHOWN}"
    ),
}
#: Joined to one constant row, so that the result always has exactly one row.
_STATEMENTS = {
    (who, by): f"SELECT {columns}, {_OTHER_COLUMNS} FROM (SELECT 1) AS asked"  # noqa: S608
    f"{person}{_CHECKPOINT}{right}{revision}{_FILE}"
    for who, (columns, person, right) in _WHO.items()
    for by, revision in _REVISION.items()
}
