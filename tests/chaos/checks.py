"""What must hold afterwards; each check answers with what is wrong, in words."""

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

#: What may break between a mail server's "250 OK" and the row that remembers it. A database that
#: is away may not: the worker waits for it.
_BREAKS_MAIL = {"worker"}
#: Seconds for which the worker tries to remember it: as long as its claim holds.
CLAIM = 15.0
#: All that an install's folder may hold, whatever was killed.
_BELONGS = re.compile(
    r"(keys\.env|[a-z]+-key\.pem|db\.sqlite3(-wal|-shm)?|beat[^/]*|blobs/.*|broker/.*|static/.*"
    r"|static\.stamp|run/(quickstart\.lock|address\.env|broker\.sock|troubles\.json|[^/]*\.env))"
)
_MAILED = {"approve": "application_approved", "reject": "application_rejected"}
#: What each decision writes into the trail.
_MOVES = {"approve": "application.approve", "reject": "application.reject"}
_ENDS = {"approved": "approve", "rejected": "reject", "returned": "return"}


def mails(
    rows: list[dict[str, Any]], copies: dict[str, list[Copy]], faults: list[Fault]
) -> Iterator[str]:
    """Each row left, as one message; a second copy only where SMTP can promise no better.

    Between the server's "250 OK" and the commit that remembers it nothing can make both one:
    who is killed there has sent, and is sent for again. So a second copy is allowed where a
    fault fell into that moment, and must carry the same Message-ID, by which every mail program
    knows it for the same. Each copy costs a claim, which `attempts` counts.
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
    """Whether this fault may have come between this copy and the row that remembers it."""
    return fault.what in _BREAKS_MAIL and fault.began - CLAIM < copy.at < fault.ended + 1


def mails_of_decisions(
    rows: list[dict[str, Any]], applications: list[dict[str, Any]]
) -> Iterator[str]:
    """One mail for each decision and each submission; none without."""
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
    """Every decision that was answered stands once, every other was at least pressed."""
    by_application: dict[int, list[Verdict]] = defaultdict(list)
    for verdict in pressed:
        by_application[verdict.application].append(verdict)
    for one in applications:
        stands = Counter((each["word"], each["reviewer"]) for each in one["decisions"])
        for outcome, least in (("done", True), ("unknown", False)):
            told = by_application[one["pk"]]
            mine = Counter((v.word, v.reviewer) for v in told if v.outcome == outcome)
            if least and mine - stands:
                yield f"{one['applicant']}: lost {dict(mine - stands)}"
            stands -= mine
        if stands:
            yield f"{one['applicant']}: {dict(stands)} was decided by nobody"
        yield from _agrees(one)


def _agrees(one: dict[str, Any]) -> Iterator[str]:
    """State, decisions, grant and trail of one application tell the same."""
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
    """What `publish` printed is visible with the files that it was given; nothing else is there."""
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
    """No byte without a row: at least one for each download that ended."""
    for name, count in ended.items():
        if rows.get(name, 0) < count:
            yield f"{name} has {count} files and {rows.get(name, 0)} rows in the ledger"


def store(told: dict[str, list[str]]) -> Iterator[str]:
    for problem in ("without a row", "lost"):
        if told[problem]:
            yield f"in the store {problem}: {told[problem][:5]}"
    for name in told["swept"]:
        if ".uploads/" not in name and "staging/" not in name:
            yield f"the sweep took {name}"


def links(scene: Scene, applications: list[dict[str, Any]]) -> Iterator[str]:
    """A mailed link opens the checkpoint for the approved, and was mailed to nobody else."""
    path, sha256 = next(iter(scene.files.items()))
    for one in applications:
        mailed = scene.postbox.links_to(f"{one['applicant']}@example.org")
        if len(mailed) != one["grants"]:
            yield f"{one['applicant']} is {one['status']} and was mailed {len(mailed)} links"
        for address in mailed[:1]:
            got = requests.get(f"{address}{path}", timeout=60)
            if not got.ok or hashlib.sha256(got.content).hexdigest() != sha256:
                yield f"the link of {one['applicant']} gave {got.status_code} for {path} of {GATED}"


def leftovers(data_dir: Path) -> Iterator[str]:
    """Files that nobody would ever remove."""
    for path in sorted(data_dir.rglob("*")):
        name = str(path.relative_to(data_dir))
        if path.is_file() and not _BELONGS.fullmatch(name):
            yield f"left over in the data folder: {name}"
