"""Checks after a chaos run; each yields sentences about what is wrong."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.chaos.cast import GATED
from tests.chaos.postbox import Copy
from tests.chaos.scene import Publication, Scene, Verdict
from tests.chaos.trouble import Fault

#: Faults that may fall between a mail server's "250 OK" and the row that records it. A database
#: outage may not, because the worker waits for it.
_BREAKS_MAIL = {"worker"}
#: Seconds for which the worker tries to record it: as long as its claim holds.
CLAIM = 15.0
#: All files that an install's folder may contain after any kill.
_BELONGS = re.compile(
    r"(keys\.env|[a-z]+-key\.pem|db\.sqlite3(-wal|-shm)?|beat[^/]*|blobs/.*|broker/.*|static/.*"
    r"|static\.stamp|run/(quickstart\.lock|address\.env|broker\.sock|troubles\.json|[^/]*\.env))"
)
_MAILED = {"approve": "application_approved", "reject": "application_rejected"}
#: The audit event of each decision.
_MOVES = {"approve": "application.approve", "reject": "application.reject"}
_ENDS = {"approved": "approve", "rejected": "reject", "returned": "return"}


def mails(
    rows: list[dict[str, Any]], copies: dict[str, list[Copy]], faults: list[Fault]
) -> Iterator[str]:
    """Every row arrived as one message; a second copy only where SMTP cannot prevent it.

    The server's "250 OK" and the commit that records it are not atomic: a worker that is killed
    in between has sent the mail, and it is sent again. So a second copy is allowed if a fault
    fell into that moment. It must carry the same Message-ID, by which mail programs recognise
    duplicates. Each copy costs a claim, which `attempts` counts.
    """
    for row in rows:
        came = copies.get(row["id"], [])
        name = f"{row['kind']} to {row['to']}"
        if row["state"] != "sent":
            yield f"{name} is {row['state']}: {row['error']}"
        if not came:
            yield f"{name} counts as {row['state']} and never came"
        if len(came) > row["attempts"]:
            yield f"{name} came {len(came)} times in {row['attempts']} attempts"
        for copy in came[:-1]:
            if not any(_broke_off(copy, fault) for fault in faults):
                yield f"{name} came {len(came)} times though nothing broke off at {copy.at:.1f}"
        if len({copy.text for copy in came}) > 1:
            yield f"{name} came in different words"
    known = {row["id"] for row in rows}
    yield from (
        f"a mail without a row came to {copies[mail][0].to}" for mail in copies.keys() - known
    )


def _broke_off(copy: Copy, fault: Fault) -> bool:
    """True if the fault may have occurred between this copy and the row that records it."""
    return fault.what in _BREAKS_MAIL and fault.began - CLAIM < copy.at < fault.ended + 1


def mails_of_decisions(
    rows: list[dict[str, Any]], applications: list[dict[str, Any]]
) -> Iterator[str]:
    """There is exactly one mail for each decision and each submission."""
    written: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        written[row["about"]][row["kind"]] += 1
    for one in applications:
        words = Counter(decision["word"] for decision in one["decisions"])
        wanted = {
            "application_received": one["snapshots"],
            "application_approved": words["approve"],
            "application_rejected": words["reject"],
            "application_returned": words["return"],
        }
        for kind, count in wanted.items():
            if written[one["id"]][kind] != count:
                yield f"{one['applicant']}: {written[one['id']][kind]} of {kind}, not {count}"


def decisions(applications: list[dict[str, Any]], pressed: list[Verdict]) -> Iterator[str]:
    """Every decision with a response is recorded once, every other one was at least sent."""
    by_application: dict[int, list[Verdict]] = defaultdict(list)
    for verdict in pressed:
        by_application[verdict.application].append(verdict)
    for one in applications:
        stands = Counter((each["word"], each["reviewer"]) for each in one["decisions"])
        for outcome, least in (("done", True), ("unknown", False)):
            verdicts = by_application[one["pk"]]
            mine = Counter((v.word, v.reviewer) for v in verdicts if v.outcome == outcome)
            if least and mine - stands:
                yield f"{one['applicant']}: lost {dict(mine - stands)}"
            stands -= mine
        if stands:
            yield f"{one['applicant']}: {dict(stands)} was decided by nobody"
        yield from _agrees(one)


def _agrees(one: dict[str, Any]) -> Iterator[str]:
    """State, decisions, grants and audit trail of one application agree."""
    words = [decision["word"] for decision in one["decisions"]]
    final = [word for word in words if word != "return"]
    if len(final) > 1:
        yield f"{one['applicant']} was decided {len(final)} times: {words}"
    if words and one["status"] in _ENDS and words[-1] != _ENDS[one["status"]]:
        yield f"{one['applicant']} is {one['status']} after {words}"
    if one["grants"] != words.count("approve"):
        yield f"{one['applicant']} got {one['grants']} grants for {words}"
    for word, action in {**_MOVES, "return": "application.return"}.items():
        if one["told"].get(action, 0) != words.count(word):
            yield f"{one['applicant']}: the trail tells {one['told']} of {words}"


def publications(
    revisions: dict[str, dict[str, Any]], promised: list[Publication]
) -> Iterator[str]:
    """Every revision that `publish` printed is visible with its files, and no other exists."""
    known = {f"{one.repo_id}@{one.sha}": one.files for one in promised}
    for name, files in known.items():
        found = revisions.get(name)
        if found is None or found["state"] != "visible":
            yield f"{name} was promised and is {found and found['state']}"
        elif found["files"] != files:
            yield f"{name} holds {found['files']}, not {files}"
    if more := revisions.keys() - known.keys():
        yield f"nobody was told of {sorted(more)}"


def ledger(rows: dict[str, int], ended: Counter[str]) -> Iterator[str]:
    """The ledger has at least one row for each completed download."""
    for name, count in ended.items():
        if rows.get(name, 0) < count:
            yield f"{name} has {count} files and {rows.get(name, 0)} rows in the ledger"


def store(findings: dict[str, list[str]]) -> Iterator[str]:
    """No blob is lost or without a row, and the sweep removed only leftovers."""
    for problem in ("without a row", "lost"):
        if findings[problem]:
            yield f"in the store {problem}: {findings[problem][:5]}"
    for name in findings["swept"]:
        if ".uploads/" not in name and "staging/" not in name:
            yield f"the sweep took {name}"


def links(scene: Scene, applications: list[dict[str, Any]], checkpoints: int = 1) -> Iterator[str]:
    """Only approved applicants were mailed a link for each of the tier's checkpoints.

    One of their links opens GATED.
    """
    path, sha256 = next(iter(scene.files.items()))
    for one in applications:
        mailed = scene.postbox.links_to(f"{one['applicant']}@example.org")
        if len(mailed) != one["grants"] * checkpoints:
            yield f"{one['applicant']} is {one['status']} and was mailed {len(mailed)} links"
        answers = [requests.get(f"{address}{path}", timeout=60) for address in mailed]
        hashes = [hashlib.sha256(got.content).hexdigest() for got in answers if got.ok]
        if mailed and sha256 not in hashes:
            statuses = [got.status_code for got in answers]
            yield f"the links of {one['applicant']} gave {statuses} for {path} of {GATED}"


def leftovers(data_dir: Path) -> Iterator[str]:
    """The data folder has no files that nothing would ever remove."""
    for path in sorted(data_dir.rglob("*")):
        name = str(path.relative_to(data_dir))
        if path.is_file() and not _BELONGS.fullmatch(name):
            yield f"left over in the data folder: {name}"
