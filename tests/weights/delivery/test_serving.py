"""How allowed bytes are sent: headers, ledger, the cap, the web server in front, a broken store."""

import gc
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from unittest import mock

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.services import wait_until
from weights.delivery import bodies
from weights.delivery.bodies import RangedFile
from weights.ledger.models import Download
from weights.publishing.models import File, Revision
from weights.storage.protocol import blob_key

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def weights_file(db: None, store: Path) -> File:
    """A file of an open checkpoint, large enough to be cut into parts."""
    revision = factories.published("acme/small", files={"model.bin": CONTENT})
    return revision.files.select_related("blob").get()


@pytest.fixture
def url(weights_file: File) -> str:
    return "/acme/small/resolve/main/model.bin"


def body(response: Any) -> bytes:
    """Everything the response would send; the test client closes it after the last block."""
    return b"".join(response) if response.streaming else response.content


@pytest.mark.requirement("UR-14", "RG-5")
def test_a_whole_file_carries_every_header_that_clients_need(
    client: Client, url: str, weights_file: File
) -> None:
    response = client.get(url)
    assert body(response) == CONTENT
    tag = f'"{weights_file.sha256}"'
    expected = {
        "ETag": tag,
        "X-Linked-Etag": tag,
        "X-Linked-Size": str(len(CONTENT)),
        "X-Repo-Commit": weights_file.revision.sha,
        "Content-Length": str(len(CONTENT)),
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="model.bin"',
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "public, no-cache",
    }
    assert {name: response[name] for name in expected} == expected
    assert "Content-Encoding" not in response


@pytest.mark.requirement("RG-5")
def test_a_head_has_the_headers_of_the_get_and_no_body(client: Client, url: str) -> None:
    got, asked = client.get(url), client.head(url)
    body(got)
    volatile = {"X-Request-Id"}
    assert {k: v for k, v in got.headers.items() if k not in volatile} == {
        k: v for k, v in asked.headers.items() if k not in volatile
    }
    assert (asked.status_code, asked.content) == (200, b"")


def test_a_head_leaves_no_row_in_the_ledger(client: Client, url: str) -> None:
    client.head(url)
    assert not Download.objects.exists()


def test_a_part_is_served_and_written_as_that_part(
    client: Client, url: str, weights_file: File
) -> None:
    response = client.get(url, headers={"Range": "bytes=100-199"})
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes 100-199/{len(CONTENT)}"
    assert body(response) == CONTENT[100:200]
    row = Download.objects.get()
    assert (row.start, row.length, row.outcome) == (100, 100, Download.Outcome.SERVED)
    assert (row.repo_id, row.path, row.sha256) == ("acme/small", "model.bin", weights_file.sha256)
    assert row.request_id == response["X-Request-Id"]
    assert row.user_id is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "*"}, 304),
        ({"If-Match": '"other"'}, 412),
        ({"Range": "bytes=99999-"}, 416),
    ],
)
def test_an_answer_without_bytes_leaves_no_row(
    client: Client, url: str, headers: dict[str, str], status: int
) -> None:
    response = client.get(url, headers=headers)
    assert response.status_code == status
    assert CONTENT[:20] not in response.content
    assert not Download.objects.exists()
    assert response["ETag"]
    assert int(response["Content-Length"]) == (len(response.content) or len(CONTENT))


def test_an_answer_to_a_person_stays_out_of_shared_caches(
    client: Client, url: str, applicant: User
) -> None:
    client.force_login(applicant)
    response = client.get(url)
    body(response)
    assert response["Cache-Control"] == "private, no-store"
    row = Download.objects.get()
    assert (row.user_id, row.credential_kind) == (applicant.pk, "session")


@pytest.mark.requirement("UR-14", "WB-5")
def test_gated_bytes_are_never_cached_and_name_their_grant(
    client: Client, store: Path, applicant: User, gated_tier: Tier
) -> None:
    factories.published("acme/big", gated_tier, {"w.bin": b"weights"})
    grant = factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    response = client.get("/acme/big/resolve/main/w.bin", headers=bearer(token))
    assert body(response) == b"weights"
    assert response["Cache-Control"] == "private, no-store"
    assert Download.objects.get().grant_id == grant.pk


def test_the_refusal_of_a_known_caller_is_written_with_its_code(
    client: Client, store: Path, applicant: User, gated_tier: Tier
) -> None:
    factories.published("acme/big", gated_tier, {"w.bin": b"weights"})
    url = "/acme/big/resolve/main/w.bin"
    client.get(url, headers=bearer(factories.token(applicant, "read-gated")))
    row = Download.objects.get()
    assert (row.outcome, row.code) == (Download.Outcome.REFUSED, "no_application")
    assert (row.user_id, row.path, row.length) == (applicant.pk, "w.bin", 0)


def test_the_refusal_of_an_anonymous_caller_is_not_recorded(
    client: Client, store: Path, gated_tier: Tier
) -> None:
    factories.published("acme/big", gated_tier, {"w.bin": b"weights"})
    assert client.get("/acme/big/resolve/main/w.bin").status_code == 401
    assert not Download.objects.exists()


def test_a_missing_name_is_no_refusal(client: Client, url: str, applicant: User) -> None:
    token = factories.token(applicant)
    assert client.get(f"{url}x", headers=bearer(token)).status_code == 404
    assert not Download.objects.exists()


def test_the_ledger_row_is_written_before_the_first_byte_is_sent(client: Client, url: str) -> None:
    response = client.get(url)
    assert Download.objects.count() == 1
    body(response)


def test_no_byte_leaves_when_the_row_cannot_be_written(client: Client, url: str) -> None:
    # Only this table fails, and everything before it still works.
    with (
        mock.patch("weights.ledger.recording.record_served", side_effect=RuntimeError("disk full")),
        pytest.raises(RuntimeError),
    ):
        client.get(url)
    assert bodies.slots.taken == 0


# -- a store that fails ------------------------------------------------------------------


def break_by_removal(path: Path) -> None:
    path.unlink()


def break_by_cutting(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def break_by_unmounting(path: Path) -> None:
    store = path.parents[2]
    store.rename(store.with_name("elsewhere"))


def break_by_replacing_with_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "break_store",
    [
        break_by_removal,
        break_by_cutting,
        break_by_unmounting,
        break_by_replacing_with_a_folder,
    ],
)
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_broken_store_is_reported_as_unavailable_before_any_length_is_promised(
    client: Client, store: Path, weights_file: File, url: str, break_store: object, method: str
) -> None:
    assert callable(break_store)
    break_store(store / blob_key(weights_file.sha256))
    response = getattr(client, method)(url)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert response["X-Error-Message"]
    assert not Download.objects.exists()
    assert bodies.slots.taken == 0


# -- the cap -----------------------------------------------------------------------------


def test_beyond_the_limit_callers_must_wait(client: Client, url: str, settings: Settings) -> None:
    settings.DOWNLOADS_AT_ONCE = 2
    running = [client.get(url), client.get(url)]
    refused = client.get(url)
    assert refused.status_code == 429
    assert refused.json()["error"].endswith(f"again in {refused['Retry-After']} s.")
    assert client.head(url).status_code == 200
    body(running.pop())
    again = client.get(url)
    assert body(again) == CONTENT
    body(running.pop())
    assert bodies.slots.taken == 0


@pytest.fixture
def clock(settings: Settings) -> Iterator[mock.Mock]:
    """The time of slots, of which there are two."""
    settings.DOWNLOADS_AT_ONCE = 2
    # No library moves the monotonic clock of one module alone.
    with mock.patch("weights.delivery.bodies.time.monotonic", return_value=1000.0) as clock:
        yield clock


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    server = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(server.getsockname())
    ours, _ = server.accept()
    with server, theirs, ours:
        yield ours, theirs


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not tell what was taken")
def test_the_wait_is_what_the_next_download_to_end_still_takes(
    clock: mock.Mock, connected: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = connected
    ours.sendall(b"an answer before")
    assert theirs.recv(100)
    slots = bodies.Slots()
    slots.take(10_000, ours)
    ours.sendall(bytes(2_000))
    wait_until(lambda: len(theirs.recv(4000, socket.MSG_PEEK)) == 2_000, "the bytes")
    slots.take(10_000, None)
    clock.return_value += 20
    # A fifth of the first took 20 s, so the rest takes 80; the other may end after 20 more.
    assert [slots.wait(), slots.wait()] == [20, 80]
    assert slots.wait() == bodies.LONGEST_WAIT, "both were promised to others"
    clock.return_value += 30
    # The slot of 20 s is free again; the sooner of the two, after 50 s, is announced.
    assert slots.wait() == 200


def test_a_waiting_time_is_always_finite(clock: mock.Mock) -> None:
    slots = bodies.Slots()
    slots.take(), slots.take()
    assert slots.wait() == 1
    clock.return_value += 50_000
    assert slots.wait() == bodies.LONGEST_WAIT


@pytest.mark.slow
def test_a_response_dropped_without_being_closed_gives_its_place_back() -> None:
    release = bodies.slots.take()
    assert release is not None
    dropped = part_of(Path(__file__), 0, 1, release)
    del dropped
    gc.collect()
    assert bodies.slots.taken == 0


def test_closing_twice_gives_one_place_back() -> None:
    release = bodies.slots.take()
    assert release is not None
    body = part_of(Path(__file__), 0, 1, release)
    body.close()
    body.close()
    assert bodies.slots.taken == 0


# -- a browser instead of a script ---------------------------------------------------------

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_gets_a_page_about_a_broken_store(
    client: Client, store: Path, weights_file: File, url: str
) -> None:
    break_by_removal(store / blob_key(weights_file.sha256))
    page = client.get(url, headers=BROWSER)
    assert page.status_code == 503
    assert page["Content-Type"].startswith("text/html")
    assert "<code>storage_unavailable</code>" in page.text
    assert page["Retry-After"] == client.get(url)["Retry-After"]


def test_a_browser_that_must_wait_for_a_slot_gets_a_page(
    client: Client, url: str, settings: Settings
) -> None:
    settings.DOWNLOADS_AT_ONCE = 1
    running = client.get(url)
    page = client.get(url, headers=BROWSER)
    assert page.status_code == 429
    assert f"try again in {page['Retry-After']} s" in page.text
    body(running)


def test_a_browser_that_may_not_have_a_file_gets_a_page_with_the_same_codes(
    client: Client, store: Path, gated_tier: Tier
) -> None:
    factories.published("acme/big", gated_tier, {"w.bin": b"weights"})
    address = "/acme/big/resolve/main/w.bin"
    page, told = client.get(address, headers=BROWSER), client.get(address)
    assert page.status_code == told.status_code == 401
    assert page["Content-Type"].startswith("text/html")
    assert told["Content-Type"] == "application/json"
    for name in ("X-Refusal-Code", "X-Error-Code", "X-Error-Message", "WWW-Authenticate"):
        assert page[name] == told[name], name


# -- the body ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 100, 4096, -1])
def test_reading_stops_at_the_end_of_the_part(tmp_path: Path, size: int) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(CONTENT)
    body = part_of(path, 10, 100, lambda: None)
    assert b"".join(iter(lambda: body.read(size), b"")) == CONTENT[10:110]
    body.close()


@pytest.mark.django_db(transaction=True)
def test_a_running_download_holds_no_database_connection(client: Client, url: str) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's connections are shared by nobody")
    response = client.get(url)
    assert connection.connection is None
    body(response)


# -- behind a web server -----------------------------------------------------------------


@pytest.fixture
def behind_nginx(settings: Settings) -> None:
    settings.ACCEL_LOCATION = "/_blobs/"


def test_the_web_server_in_front_gets_the_path_of_the_bytes(
    client: Client, url: str, weights_file: File, behind_nginx: None
) -> None:
    response = client.get(url, headers={"Range": "bytes=0-9"})
    assert response["X-Accel-Redirect"] == f"/_blobs/{blob_key(weights_file.sha256)}"
    assert response.content == b""
    assert response["ETag"] == f'"{weights_file.sha256}"'
    row = Download.objects.get()
    assert (row.start, row.length) == (0, 10)


@pytest.mark.parametrize("header", ["If-Match", "If-Range"])
def test_conditions_that_nginx_would_misread_are_answered_by_the_portal(
    client: Client, url: str, weights_file: File, behind_nginx: None, header: str
) -> None:
    tag = f'"{weights_file.sha256}"'
    response = client.get(url, headers={header: tag, "Range": "bytes=0-9"})
    assert "X-Accel-Redirect" not in response
    assert (response.status_code, body(response)) == (206, CONTENT[:10])


def test_a_refusal_is_never_sent_by_nginx(
    client: Client, store: Path, gated_tier: Tier, behind_nginx: None
) -> None:
    factories.published("acme/big", gated_tier, {"w.bin": b"weights"})
    response = client.get("/acme/big/resolve/main/w.bin")
    assert response.status_code == 401
    assert "X-Accel-Redirect" not in response


# -- on S3 -------------------------------------------------------------------------------


@pytest.mark.requirement("UR-12")
def test_on_s3_a_get_is_redirected_and_a_head_is_answered_by_the_portal(
    client: Client, db: None, s3_store: str, applicant: User
) -> None:
    revision: Revision = factories.published("acme/small", files={"model.bin": CONTENT})
    url = "/acme/small/resolve/main/model.bin"
    head = client.head(url)
    assert (head.status_code, head["Content-Length"]) == (200, str(len(CONTENT)))
    got = client.get(url, headers=bearer(factories.token(applicant)))
    assert got.status_code == 302
    assert got["Location"].startswith("http://127.0.0.1:")
    assert got["X-Repo-Commit"] == head["X-Repo-Commit"] == revision.sha
    assert got["X-Linked-Size"] == str(len(CONTENT))
    assert got["X-Linked-Etag"] == head["ETag"]
    row = Download.objects.get()
    assert (row.outcome, row.user_id) == (Download.Outcome.REDIRECTED, applicant.pk)


@pytest.mark.requirement("UR-12")
@pytest.mark.parametrize("place", ["store", "s3_store"])
def test_the_portal_sends_a_first_byte_itself(
    client: Client, db: None, applicant: User, request: pytest.FixtureRequest, place: str
) -> None:
    """hf-hub in Rust (TEI, TGI, candle) begins every download so."""
    request.getfixturevalue(place)
    revision = factories.published("acme/small", files={"model.bin": CONTENT})
    headers = {**bearer(factories.token(applicant)), "Range": "bytes=0-0"}
    response: Any = client.get("/acme/small/resolve/main/model.bin", headers=headers)
    assert (response.status_code, response.getvalue()) == (206, CONTENT[:1])
    assert "Location" not in response
    expected = {
        "Content-Range": f"bytes 0-0/{len(CONTENT)}",
        "Content-Length": "1",
        "ETag": f'"{revision.files.get().sha256}"',
        "X-Repo-Commit": revision.sha,
        "Accept-Ranges": "bytes",
    }
    assert {name: response[name] for name in expected} == expected
    row = Download.objects.get()
    assert (row.outcome, row.start, row.length) == (Download.Outcome.SERVED, 0, 1)


@pytest.mark.parametrize("part", ["bytes=0-0", "bytes=0-", "bytes=7-"])
def test_a_part_of_an_empty_file_is_the_empty_file(
    client: Client, db: None, store: Path, part: str
) -> None:
    """@huggingface/hub and hf-hub take no 416, and read the size from Content-Range."""
    factories.published("acme/small", files={"empty.txt": b"", "a.txt": b"a"})
    response: Any = client.get("/acme/small/resolve/main/empty.txt", headers={"Range": part})
    assert (response.status_code, response.getvalue()) == (200, b"")
    assert response["Content-Range"] == "bytes */0"
    assert "X-Repo-Commit" in response


@pytest.mark.requirement("GT-1")
def test_a_first_byte_on_s3_passes_the_gate(
    client: Client, db: None, s3_store: str, gated_tier: Tier
) -> None:
    factories.published("acme/big", gated_tier, {"w.bin": b"weights"})
    response = client.get("/acme/big/resolve/main/w.bin", headers={"Range": "bytes=0-0"})
    assert (response.status_code, response["X-Error-Code"]) == (401, "GatedRepo")
    assert response.content != b"w"


@pytest.mark.requirement("UR-12")
@pytest.mark.parametrize("part", ["bytes=0-1", "bytes=1-1", "bytes=0-"])
def test_on_s3_every_other_part_is_redirected(
    client: Client, db: None, s3_store: str, part: str
) -> None:
    factories.published("acme/small", files={"model.bin": CONTENT})
    response = client.get("/acme/small/resolve/main/model.bin", headers={"Range": part})
    assert response.status_code == 302


def part_of(path: Path, start: int, length: int, release: Callable[[], object]) -> RangedFile:
    """The body closes its file."""
    stream = cast(BinaryIO, path.open("rb", buffering=0))
    return RangedFile(stream, start, length, release)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
