"""The checks after a chaos run find the faults for which they are written."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import checks
from tests.chaos.postbox import Copy
from tests.chaos.scene import Publication, Verdict
from tests.chaos.trouble import Fault

pytestmark = pytest.mark.one_database

SENT: dict[str, Any] = {
    **{"id": "m1", "kind": "application_approved", "to": "a@example.org", "state": "sent"},
    **{"attempts": 1, "about": "u1", "error": ""},
}
FIRST, SECOND = (Copy("m1", "a@example.org", at, "the words") for at in (100.0, 130.0))
KILLED = Fault("worker", 101.0, 101.0)
APPROVED: dict[str, Any] = {
    **{"pk": 1, "id": "u1", "applicant": "a", "status": "approved", "snapshots": 0, "grants": 1},
    "decisions": [{"word": "approve", "reviewer": "rita"}],
    "told": {"application.approve": 1},
}
PRESSED = Verdict(1, "rita", "approve", "done")


def joined(found: Iterable[str]) -> str:
    return "; ".join(found)


def test_a_mail_that_arrived_once_is_right() -> None:
    assert joined(checks.mails([SENT], {"m1": [FIRST]}, [])) == ""


def test_a_second_copy_is_right_only_if_a_worker_was_killed_after_the_first() -> None:
    twice = {"m1": [FIRST, SECOND]}
    again = SENT | {"attempts": 2}
    assert joined(checks.mails([again], twice, [KILLED])) == ""
    assert "nothing broke off" in joined(checks.mails([again], twice, []))
    assert "nothing broke off" in joined(checks.mails([again], twice, [Fault("web", 101, 101)]))
    assert "nothing broke off" in joined(checks.mails([again], twice, [Fault("worker", 90, 90)]))
    assert "2 times in 1 attempts" in joined(checks.mails([SENT], twice, [KILLED]))


@pytest.mark.parametrize(
    ("rows", "copies", "words"),
    [
        ([SENT], {}, "never came"),
        ([SENT | {"state": "queued"}], {"m1": [FIRST]}, "is queued"),
        ([], {"m1": [FIRST]}, "without a row"),
        ([SENT], {"m1": [FIRST, Copy("m1", "a@example.org", 101, "others")]}, "different words"),
    ],
)
def test_lost_waiting_and_unknown_mails_are_found(
    rows: list[dict[str, Any]], copies: dict[str, list[Copy]], words: str
) -> None:
    assert words in joined(checks.mails(rows, copies, [KILLED]))


def test_missing_and_surplus_mails_of_decisions_are_found() -> None:
    assert joined(checks.mails_of_decisions([SENT], [APPROVED])) == ""
    assert "0 of application_approved" in joined(checks.mails_of_decisions([], [APPROVED]))
    assert "2 of application_approved" in joined(checks.mails_of_decisions([SENT] * 2, [APPROVED]))


@pytest.mark.parametrize("outcome", ["done", "unknown"])
def test_a_repeated_decision_takes_effect_once(outcome: str) -> None:
    pressed = [Verdict(1, "rita", "approve", outcome), Verdict(1, "rolf", "reject", "refused")]
    assert joined(checks.decisions([APPROVED], pressed)) == ""


@pytest.mark.parametrize(
    ("facts", "pressed", "words"),
    [
        ({}, [], "decided by nobody"),
        ({}, [PRESSED, Verdict(1, "rolf", "reject", "done")], "lost"),
        ({"decisions": APPROVED["decisions"] * 2}, [PRESSED], "decided 2 times"),
        ({"grants": 0}, [PRESSED], "0 grants"),
        ({"status": "rejected"}, [PRESSED], "is rejected after"),
        ({"told": {}}, [PRESSED], "the trail tells"),
    ],
)
def test_lost_doubled_and_incomplete_decisions_are_found(
    facts: dict[str, Any], pressed: list[Verdict], words: str
) -> None:
    assert words in joined(checks.decisions([APPROVED | facts], pressed))


def test_missing_and_differing_revisions_are_found() -> None:
    promised = Publication("a/b", "1" * 40, {"f": "0"})
    name = f"a/b@{promised.sha}"
    right = {name: {"state": "visible", "files": {"f": "0"}}}
    assert joined(checks.publications(right, [promised])) == ""
    assert "promised and is None" in joined(checks.publications({}, [promised]))
    pending = {name: {"state": "pending", "files": {"f": "0"}}}
    assert "is pending" in joined(checks.publications(pending, [promised]))
    others = {name: {"state": "visible", "files": {"f": "1"}}}
    assert "holds" in joined(checks.publications(others, [promised]))
    assert "nobody was told" in joined(checks.publications(right, []))


def test_bytes_without_rows_and_rows_without_bytes_are_found(tmp_path: Path) -> None:
    assert "ledger" in joined(checks.ledger({"reader": 1}, Counter(reader=2)))
    assert joined(checks.ledger({"reader": 2}, Counter(reader=2))) == ""
    clean: dict[str, list[str]] = {"swept": [".uploads/tmp1"], "without a row": [], "lost": []}
    assert joined(checks.store(clean)) == ""
    assert "lost" in joined(checks.store(clean | {"lost": ["00"]}))
    assert "without a row" in joined(checks.store(clean | {"without a row": ["00"]}))
    assert "the sweep took aa" in joined(checks.store(clean | {"swept": ["aa/bb/aabb"]}))
    (tmp_path / "keys.env").touch()
    assert joined(checks.leftovers(tmp_path)) == ""
    (tmp_path / "tmpabc").touch()
    assert "tmpabc" in joined(checks.leftovers(tmp_path))
