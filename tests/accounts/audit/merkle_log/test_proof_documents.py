"""People get a proof for each of their rows, which anybody can check without the portal."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings
from sigstore._internal.merkle import verify_merkle_inclusion

from accounts.audit.merkle_log import (
    merkle,
    proof_documents,
    proofs,
    sealed_tables,
    sealer,
    signed_heads,
    standalone,
)
from accounts.audit.merkle_log.canonical import canonical
from accounts.audit.models import AuditEvent, SealedNode, SignedHead
from accounts.users.models import User
from tests.accounts.audit.merkle_log import keys, rows
from tests.support import factories
from tests.support.database import trail
from tests.support.sample_events import SampleEvent
from weights.ledger.models import Download

pytestmark = pytest.mark.django_db

SCRIPT = Path(standalone.__file__).parent / "check_proof.py"


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, settings: Settings) -> None:
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)


@pytest.fixture
def event(applicant: User, reviewer: User) -> AuditEvent:
    """One of the applicant's own among those of others, with a head over all."""
    for number in range(20):
        rows.event(number)
    made = AuditEvent.record(SampleEvent.DONE, actor=applicant, details={"näme": "ü ", "n": 1.0})
    AuditEvent.record(SampleEvent.PRAISED, actor=reviewer, target=applicant, details={"why": "x"})
    Download.objects.create(
        user_id=applicant.pk, credential_kind="token", repo_id="a/b", path="c", outcome="served"
    )
    for number in range(14):
        rows.event(number)
    sealer.seal()
    signed_heads.sign()
    return made


def proof(person: User, event: AuditEvent) -> dict[str, Any]:
    found = proof_documents.inclusion(sealed_tables.EVENTS, person, event.pk)
    assert found is not None
    return found


def checked(proof: dict[str, Any], vkey: str = "") -> tuple[int, str]:
    """The output of the downloadable script, run with nothing but Python."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), vkey or proof["key"]],
        input=json.dumps(proof),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


# -- the hashes -------------------------------------------------------------------------


def test_every_leaf_is_proved_under_every_head_and_heads_go_on_from_each_other() -> None:
    """Uses an independent verifier: sigstore's, for the entries of Rekor."""
    for number in range(70):
        rows.event(number)
    sealer.seal()
    written = sealed_tables.EVENTS.rows.order_by("pk").values_list(*sealed_tables.EVENTS.fields)
    leaves = [sealed_tables.EVENTS.leaf_input(row) for row in written]
    tree, root_at = merkle.Frontier(), {}
    for leaf in leaves:
        tree.append(merkle.leaf_hash(leaf))
        root_at[tree.size] = tree.root
    for size in (1, 2, 15, 16, 17, 33, 64, 69, 70):
        for index in {0, size // 3, size // 2, size - 1}:
            given = SimpleNamespace(
                log_index=index,
                tree_size=size,
                hashes=proofs.inclusion_proof(index, size),
                root_hash=root_at[size],
            )
            inner = SimpleNamespace(inclusion_proof=given, canonicalized_body=leaves[index])
            verify_merkle_inclusion(cast(Any, SimpleNamespace(_inner=inner)))
        for first in {1, size // 2 or 1, size}:
            path = proofs.consistency_proof(first, size)
            assert merkle.verify_consistency(first, size, root_at[first], root_at[size], path)


def test_a_proof_costs_the_same_however_long_the_trail_is(
    applicant: User, event: AuditEvent, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(2):
        with django_assert_num_queries(8):
            proof(applicant, event)
        for number in range(300):
            rows.event(number)


def test_a_damaged_tree_gives_no_proof(event: AuditEvent, applicant: User) -> None:
    with trail.unguarded():
        SealedNode.objects.all().delete()
    with pytest.raises(proofs.MissingNode):
        proof(applicant, event)


# -- the file ---------------------------------------------------------------------------


@pytest.mark.requirement("AU-6")
def test_a_proof_is_good_for_the_script_that_is_handed_out(
    applicant: User, event: AuditEvent
) -> None:
    found = proof(applicant, event)
    code, said = checked(found)
    assert code == 0, said
    assert said.startswith(f"GOOD: row {found['index']} of {SignedHead.objects.get().size}, ")
    assert json.loads(found["withheld"])["details"] == {"näme": "ü ", "n": 1.0}


def _leaf(found: dict[str, Any]) -> None:
    found["leaf"] = found["leaf"].replace("thing.done", "thing.gone")


def _withheld(found: dict[str, Any]) -> None:
    found["withheld"] = found["withheld"].replace('"n":1', '"n":2')


def _index(found: dict[str, Any]) -> None:
    found["index"] += 1


def _path(found: dict[str, Any]) -> None:
    found["path"][2] = base64.b64encode(bytes(32)).decode()


def _shorter(found: dict[str, Any]) -> None:
    found["path"].pop()


def _size(found: dict[str, Any]) -> None:
    size = found["size"]
    found["head"] = found["head"].replace(f"\n{size}\n", f"\n{size + 1}\n")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_leaf, "not in the log"),
        (_withheld, "withheld part"),
        (_index, "not in the log"),
        (_path, "not in the log"),
        (_shorter, "not in the log"),
        (_size, "has not signed"),
    ],
)
def test_a_proof_that_was_changed_is_not(
    applicant: User, event: AuditEvent, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    found = proof(applicant, event)
    change(found)
    code, said = checked(found)
    assert code == 1
    assert why in said


def test_a_head_signed_by_another_key_proves_nothing(
    applicant: User, event: AuditEvent, tmp_path: Path, settings: Settings
) -> None:
    found = proof(applicant, event)
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    other = signed_heads.sign()
    code, said = checked(found, vkey=other.vkey)
    assert code == 1
    assert "has not signed" in said


def test_a_key_that_was_cut_short_proves_nothing(applicant: User, event: AuditEvent) -> None:
    found = proof(applicant, event)
    code, output = checked(found, vkey=found["key"][:-8])
    assert code == 1
    assert output.startswith("WRONG: this key has not signed")


def test_the_script_is_short_enough_to_be_read() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 60


@pytest.mark.parametrize("arguments", [[], ["no key"], ["log+id+key"]])
def test_the_offline_script_prints_its_usage(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *arguments], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "check_proof.py NAME+ID+KEY < PROOF.json" in done.stderr
    assert "Traceback" not in done.stderr


# -- whose it is ------------------------------------------------------------------------


def test_proofs_of_other_peoples_actions_leave_out_the_actor_and_the_reason(
    applicant: User, reviewer: User, event: AuditEvent
) -> None:
    about = AuditEvent.objects.get(action="account.praised")
    found = proof(applicant, about)
    assert found["withheld"] is None
    assert str(reviewer.public_id) not in json.dumps(found)
    assert checked(found)[0] == 0
    theirs = proof(reviewer, about)
    assert json.loads(theirs["withheld"])["actor_id"] == str(reviewer.public_id)


def test_nobody_has_a_proof_of_anothers_row(applicant: User, event: AuditEvent) -> None:
    stranger = factories.person()
    assert proof_documents.inclusion(sealed_tables.EVENTS, stranger, event.pk) is None
    download = Download.objects.get(user_id=applicant.pk)
    log = sealed_tables.get_log("download")
    assert proof_documents.inclusion(log, stranger, download.pk) is None
    found = proof_documents.inclusion(log, applicant, download.pk)
    assert found is not None
    assert checked(found)[0] == 0


def test_a_row_without_a_head_over_it_has_no_proof_yet(applicant: User) -> None:
    made = AuditEvent.record(SampleEvent.DONE, actor=applicant)
    with pytest.raises(proof_documents.NotCovered):
        proof(applicant, made)
    sealer.seal()
    with pytest.raises(proof_documents.NotCovered):
        proof(applicant, made)
    signed_heads.sign()
    assert proof(applicant, made)["size"] == 1
    with pytest.raises(proof_documents.NotCovered):
        proof_documents.inclusion(sealed_tables.EVENTS, applicant, made.pk, size=7)


# -- pages and API ----------------------------------------------------------------------


def test_the_page_lists_ones_own_rows_at_one_price(
    client: Client,
    applicant: User,
    event: AuditEvent,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(applicant)
    with django_assert_max_num_queries(14):
        page = client.get("/access/events/")
    assert "thing.done" in page.text
    assert "account.praised" in page.text
    for number in range(60):
        AuditEvent.record(SampleEvent.DONE, actor=applicant, details={"number": number})
    with django_assert_max_num_queries(14):
        page = client.get("/access/events/")
    assert "within the hour" in page.text
    assert "Next 50" in page.text


@pytest.mark.requirement("AU-6")
def test_a_proof_comes_as_a_file_to_its_owner_alone(
    client: Client, applicant: User, event: AuditEvent
) -> None:
    address = f"/access/proofs/event/{event.pk}.json"
    assert client.get(address).status_code == 302
    client.force_login(factories.person())
    assert client.get(address).status_code == 404
    client.force_login(applicant)
    assert client.get(f"/access/proofs/other/{event.pk}.json").status_code == 404
    late = AuditEvent.record(SampleEvent.DONE, actor=applicant)
    assert client.get(f"/access/proofs/event/{late.pk}.json").status_code == 409
    answer = client.get(address)
    assert answer["Content-Disposition"] == f'attachment; filename="proof-event-{event.pk}.json"'
    assert answer["Cache-Control"] == "private, no-store"
    assert checked(answer.json())[0] == 0


@pytest.mark.requirement("AU-5")
def test_heads_and_key_are_public(client: Client, event: AuditEvent) -> None:
    head = SignedHead.objects.get()
    newest = client.get("/transparency/audit-head")
    assert newest.content.decode() == head.note
    assert newest["Content-Type"] == "text/plain; charset=utf-8"
    assert client.get(f"/transparency/audit-head/{head.size}").content.decode() == head.note
    assert client.get(f"/transparency/audit-head/{head.size - 1}").status_code == 404
    for page in ("/keys/", "/transparency/audit/"):
        assert head.vkey in client.get(page).text
    script = client.get("/transparency/audit/check_proof.py")
    assert script.content == SCRIPT.read_bytes()
    told = client.get("/api/v1/transparency/").json()["audit_head"]
    assert told["note"] == head.note
    assert client.get("/api/v1/audit/heads").json()["heads"] == [told]


def test_before_the_first_head_the_pages_say_so(client: Client) -> None:
    assert client.get("/transparency/audit-head").status_code == 404
    assert client.get("/api/v1/transparency/").json()["audit_head"] is None
    for page in ("/keys/", "/transparency/audit/"):
        assert "No head has been signed yet" in client.get(page).text


def test_the_api_gives_ones_own_rows_and_proofs(
    client: Client, applicant: User, event: AuditEvent
) -> None:
    mine = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}
    theirs = {"Authorization": f"Bearer {factories.token(factories.person(), 'read-gated')}"}
    assert client.get("/api/v1/audit/events").status_code == 401
    listed = client.get("/api/v1/audit/events", headers=mine).json()
    actions = {row["told"]["action"]: row for row in listed["rows"]}
    assert actions["thing.done"]["by_you"] is True
    assert actions["account.praised"]["by_you"] is False
    assert actions["token.made"]["proof"] is None
    address = actions["thing.done"]["proof"].partition("8000")[2] or actions["thing.done"]["proof"]
    path = f"/api/v1/audit/events/{event.pk}/proof"
    assert address.endswith(path)
    assert checked(client.get(path, headers=mine).json())[0] == 0
    assert client.get(path, headers=theirs).json()["code"] == "row_not_found"
    late = actions["token.made"]["id"]
    answer = client.get(f"/api/v1/audit/events/{late}/proof", headers=mine)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_proof_yet")
    downloads = client.get("/api/v1/audit/downloads", headers=mine).json()
    assert [row["told"]["repo_id"] for row in downloads["rows"]] == ["a/b"]
    assert client.get("/api/v1/audit/downloads", headers=theirs).json()["rows"] == []


@pytest.mark.django_db(transaction=True)
def test_the_api_proves_that_a_head_extends_another(client: Client) -> None:
    for count in (3, 30):
        for number in range(count):
            rows.event(number)
        sealer.seal()
        signed_heads.sign()
    one, other = SignedHead.objects.order_by("size")
    told = client.get(f"/api/v1/audit/consistency?first={one.size}&second={other.size}").json()
    path = [base64.b64decode(part) for part in told["path"]]
    assert (told["first"], told["second"]) == (one.note, other.note)
    assert merkle.verify_consistency(one.size, other.size, bytes(one.root), bytes(other.root), path)
    assert client.get("/api/v1/audit/consistency?first=2&second=34").status_code == 404


def test_the_leaf_in_the_file_is_the_canonical_form_that_was_sealed(
    applicant: User, event: AuditEvent
) -> None:
    found = proof(applicant, event)
    assert canonical(json.loads(found["leaf"])).decode() == found["leaf"]
    assert canonical(json.loads(found["withheld"])).decode() == found["withheld"]
