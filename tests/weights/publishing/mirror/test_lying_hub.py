"""A hub that lies, disconnects or redirects elsewhere is refused in one line without publishing."""

import gzip
import hashlib
import socket
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from urllib3.util import connection

from tests.support.servers import certificate
from tests.support.servers.source_hub import FILES, Lie, Request, SourceHub, entry, source_hub
from tests.weights.publishing.mirror.conftest import Mirror
from weights.catalogue.models import Checkpoint
from weights.errors import WeightsError
from weights.publishing.mirror import session, source
from weights.storage import blob_storage
from weights.storage.models import Blob

WEIGHTS = "weights.bin.txt"
CONTENT = FILES[WEIGHTS]
TREE = "/api/models/lab/model/tree/"


def blobs_in(store: Path) -> set[str]:
    return {path.name for path in store.glob("*/*/*")}


def refused(mirror: Mirror, store: Path, words: str, **options: Any) -> str:
    """Mirror and return the refusal; asserts that nothing was published and no bad bytes stored."""
    with pytest.raises(WeightsError, match=words) as caught:
        mirror(**options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert not Checkpoint.objects.exists()
    assert not Blob.objects.exists()
    assert blobs_in(store) <= {hashlib.sha256(content).hexdigest() for content in FILES.values()}
    return message


# -- bytes --------------------------------------------------------------------------------


def zeros(request: Request) -> None:
    request.file(bytes(len(CONTENT)))


def short(request: Request) -> None:
    request.file(CONTENT[:-1])


def half(request: Request) -> None:
    """Half of what is missing, under the true length."""
    start = int(request.headers.get("Range", "bytes=0-")[6:-1])
    ranged = {"Content_Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
    body, length = CONTENT[start:], str(len(CONTENT) - start)
    request.send(206 if start else 200, body[: len(body) // 2], length=length, **ranged)


def zipped(request: Request) -> None:
    request.send(200, gzip.compress(CONTENT), Content_Encoding="gzip")


def long(request: Request) -> None:
    request.file(CONTENT + b"x")


def unknown_length(request: Request) -> None:
    request.send(200, CONTENT[:1000], length="-5")


@pytest.mark.requirement("IN-12")
@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (zeros, "bytes for 'weights.bin.txt' do not match its listing"),
        (short, "sends '2399999' bytes .* implies 2400000"),
        (long, "sends '2400001' bytes .* implies 2400000"),
        (half, "broke off .* run the same command later: it continues"),
        (zipped, "sends a compressed body"),
        (unknown_length, "sends '-5' bytes"),
    ],
)
def test_wrong_bytes_are_refused(
    hub: SourceHub, mirror: Mirror, store: Path, lie: Lie, words: str
) -> None:
    hub.lie_about(WEIGHTS, lie)
    refused(mirror, store, words)


def test_an_endless_body_is_read_to_the_listed_size_only(
    hub: SourceHub, mirror: Mirror, store: Path
) -> None:
    sent = 0

    def endless(request: Request) -> None:
        nonlocal sent
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        block = bytes(1 << 16)
        while sent < 1 << 30:
            request.wfile.write(b"10000\r\n" + block + b"\r\n")
            sent += len(block)

    hub.lie_about(WEIGHTS, endless)
    refused(mirror, store, "do not match its listing")
    assert sent < 100 << 20


@pytest.mark.slow
def test_a_body_that_drips_is_given_up(
    hub: SourceHub, mirror: Mirror, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The true window is a minute, five times.
    monkeypatch.setattr(session, "WINDOW", 0.1)

    def drip(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT)))
        request.end_headers()
        while True:
            request.wfile.write(b"x")
            sleep(0.01)

    hub.lie_about(WEIGHTS, drip)
    refused(mirror, store, "sends too slowly, after 5 attempts")


def test_a_wrong_range_is_refused(hub: SourceHub, mirror: Mirror, store: Path) -> None:
    def first_half_then_another_range(request: Request) -> None:
        if "Range" in request.headers:
            request.send(206, CONTENT[:100], Content_Range=f"bytes 0-99/{len(CONTENT)}")
        else:
            half(request)

    hub.lie_about(WEIGHTS, first_half_then_another_range)
    refused(mirror, store, "sends the range 'bytes 0-99/2400000'")


def test_a_content_that_changes_under_one_commit_is_refused(
    hub: SourceHub, mirror: Mirror, store: Path
) -> None:
    def change(request: Request) -> None:
        request.honest()
        hub.files[WEIGHTS] = CONTENT[::-1]

    hub.lies[TREE] = change
    refused(mirror, store, "do not match its listing")


@pytest.mark.requirement("IN-12")
def test_the_hash_of_a_gated_file_does_not_hand_out_its_bytes(
    hub: SourceHub, mirror: Mirror, store: Path
) -> None:
    """The store has the bytes that the source lists, and the source never sends them."""
    with blob_storage().receive() as upload:
        upload.write(CONTENT)
        upload.commit(hashlib.sha256(CONTENT).hexdigest())
    hub.lie_about(WEIGHTS, zeros)
    refused(mirror, store, "do not match its listing")
    assert hub.requested(WEIGHTS)


# -- listings -----------------------------------------------------------------------------


def listed(*entries: Any) -> Lie:
    return lambda request: request.json(list(entries))


def altered(**facts: Any) -> Any:
    return entry("a.txt", b"a") | facts


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([altered(path="../a.txt")], "'..' part"),
        ([altered(path="/etc/passwd")], "empty"),
        ([altered(path="a\\b")], "backslash"),
        ([altered(path="a\0b")], "control"),
        ([altered(path="a\u202eb")], "invisible"),
        ([altered(path="a\ud800")], "UTF-8"),
        ([altered(path="x" * 2000)], "longer than 1024 bytes"),
        ([altered(path="sub/.Git/config")], "inside a folder that git"),
        ([altered(path=7)], "without a path"),
        ([altered(), altered()], "lists 'a.txt' twice"),
        ([altered(), altered(path="a.txt/b")], "lists a folder of 'a.txt/b' as a file too"),
        ([altered(size=-1)], "without one size"),
        ([altered(size=True)], "without one size"),
        ([altered(size="1")], "without one size"),
        ([altered(size=10**15)], "more than the limit of 500000000000"),
        ([altered(oid="zz")], "without a SHA-256 or git blob id"),
        ([altered(lfs={"oid": "0" * 64, "size": 2})], "without one size"),
        ([altered(lfs={"oid": "../" * 21 + "x", "size": 1})], "without a SHA-256"),
        ([altered(type="symlink")], "neither file nor folder"),
        (["a.txt"], "neither file nor folder"),
        ([], "has no files at c0ffee"),
    ],
)
def test_a_hostile_listing_is_refused(
    hub: SourceHub, mirror: Mirror, store: Path, entries: list[Any], words: str
) -> None:
    hub.lies[TREE] = listed(*entries)
    refused(mirror, store, words)
    assert not hub.requested("a.txt")


def test_a_listing_without_end_is_refused(
    hub: SourceHub, mirror: Mirror, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The true limit takes a hundred requests.
    monkeypatch.setattr(source, "MOST_ENTRIES", 5000)

    def endless(request: Request) -> None:
        number = len(hub.requests)
        page = [altered(path=f"{number}-{one}", type="directory") for one in range(1000)]
        request.json(page, Link=f'<{hub.url}{TREE}{hub.commit}?page={number}>; rel="next"')

    hub.lies[TREE] = endless
    refused(mirror, store, "lists more than 5000 files and folders")
    assert len(hub.requests) < 10


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "sends no JSON; is HUB a hub's URL"),
        (b"[" * 100_000, "sends no JSON"),
        (b'[{"size": ' + b"9" * 5000 + b"}]", "sends no JSON"),
        (b" " * ((8 << 20) + 1), "more than 8388608 bytes of JSON"),
        (b'{"error": "x"}', "not in the Hub's format"),
    ],
)
def test_a_listing_that_is_no_listing_is_refused(
    hub: SourceHub, mirror: Mirror, store: Path, body: bytes, words: str
) -> None:
    hub.lies[TREE] = lambda request: request.send(200, body)
    refused(mirror, store, words)


@pytest.mark.parametrize("sha", [None, "main", "A" * 40, "0" * 64, {"a": 1}])
def test_a_revision_without_a_commit_id_is_refused(
    hub: SourceHub, mirror: Mirror, store: Path, sha: object
) -> None:
    hub.lies["/api/models/lab/model/revision/"] = lambda request: request.json({"sha": sha})
    refused(mirror, store, "states no commit of lab/model")


def test_another_commit_than_the_requested_one_is_refused(mirror: Mirror, store: Path) -> None:
    refused(mirror, store, "answers commit c0ffee0+ for d0+", revision="d" + "0" * 39)


# -- answers that ask for patience --------------------------------------------------------


def once(lie: Lie) -> Lie:
    """Lie to the first request alone."""
    left = [lie]
    return lambda request: (left.pop() if left else Request.honest)(request)


def test_a_429_is_retried_after_the_stated_time(
    hub: SourceHub, mirror: Mirror, waits: list[float]
) -> None:
    hub.lie_about(WEIGHTS, once(lambda request: request.send(429, b"", Retry_After="17")))
    hub.lies[TREE] = once(lambda request: request.send(429, b"", Retry_After="9" * 9))
    assert mirror().file_count == len(FILES)
    assert waits == [session.LONGEST_WAIT, 17]


def test_a_hub_that_stays_unavailable_is_given_up(
    hub: SourceHub, mirror: Mirror, store: Path, waits: list[float]
) -> None:
    hub.lie_about(WEIGHTS, lambda request: request.send(503, b"", Retry_After="soon"))
    refused(mirror, store, "answers 503, after 5 attempts; run the same command later")
    assert waits == [1, 2, 4, 8]


def test_a_dead_hub_is_given_up(mirror: Mirror, store: Path, waits: list[float]) -> None:
    with source_hub() as stopped:
        pass
    facts = {"hub": stopped.url, "private_hosts": [stopped.address]}
    refused(mirror, store, "does not answer", session=facts)
    assert len(waits) == 4


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "--token-file"), (403, "--token-file"), (404, "check the name"), (410, "answers 410")],
)
def test_a_refusal_is_passed_on_with_the_next_step(
    hub: SourceHub, mirror: Mirror, store: Path, status: int, words: str
) -> None:
    reason = "Request access\x1b[31m first"
    hub.lie_about(WEIGHTS, lambda request: request.send(status, b"", X_Error_Message=reason))
    message = refused(mirror, store, words)
    assert "Request access" in message
    assert "\x1b" not in message


# -- redirects and addresses --------------------------------------------------------------


def to(target: str) -> Lie:
    return lambda request: request.redirect(target)


@pytest.mark.requirement("IN-13")
def test_bytes_from_another_host_are_fetched_without_the_token(
    hub: SourceHub, mirror: Mirror
) -> None:
    with source_hub() as bucket:
        bucket.lies["/signed"] = lambda request: request.file(CONTENT)
        hub.lie_about(WEIGHTS, to(f"{bucket.url}/signed?X-Signature=secret"))
        hosts = [hub.address, bucket.address]
        assert mirror(session={"private_hosts": hosts, "token": "hf_secret"})
        assert [one.headers["Authorization"] for one in bucket.requests] == [None]
    assert {one.headers["Authorization"] for one in hub.requests} == {"Bearer hf_secret"}


@pytest.mark.requirement("IN-13")
@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("https://127.0.0.1:9/x", "private address 127.0.0.1; .* --allow-private-address"),
        ("https://localhost:9/x", "private address"),
        ("https://169.254.169.254/latest/meta-data", "private address 169.254.169.254"),
        ("https://10.0.0.1/x", "private address 10.0.0.1"),
        ("https://[::1]/x", "private address ::1"),
        ("https://[::ffff:127.0.0.1]/x", "private address 127.0.0.1"),
        ("https://2130706433/x", "private address 127.0.0.1"),
        ("https://0/x", "private address 0.0.0.0"),
        ("http://127.0.0.1:9/x", "is not an https URL"),
        ("http://example.org/x", "is not an https URL"),
        ("file:///etc/passwd", "is not an https URL"),
        ("//user:pass@127.0.0.1:9/x", "is not an https URL"),
        ("https://[x/", "leads to an invalid URL"),
        ("https://x:99999/", "leads to an invalid URL"),
    ],
)
def test_a_redirect_to_a_private_or_plain_address_is_refused(
    hub: SourceHub, mirror: Mirror, store: Path, target: str, words: str
) -> None:
    hub.lie_about(WEIGHTS, to(f"{target}?signature=secret"))
    message = refused(mirror, store, words)
    assert "secret" not in message
    assert "pass" not in message.replace("passwd", "")


@pytest.mark.requirement("IN-13")
def test_a_redirect_from_https_to_http_is_refused(
    mirror: Mirror, store: Path, tmp_path: Path
) -> None:
    pem = certificate.self_signed(tmp_path)
    with source_hub(pem) as secure, source_hub() as plain:
        secure.lie_about(WEIGHTS, to(f"{plain.url}/x"))
        hosts = [secure.address, plain.address]
        facts: dict[str, Any] = {
            "hub": secure.url,
            "private_hosts": hosts,
            "ca_file": str(pem),
            "token": "hf_x",
        }
        refused(mirror, store, "which is not https", session=facts)
        assert plain.requests == []
        facts["ca_file"] = None
        refused(mirror, store, "no valid certificate; name its authority", session=facts)


def test_redirects_without_end_are_refused(hub: SourceHub, mirror: Mirror, store: Path) -> None:
    hub.lie_about(WEIGHTS, lambda request: request.redirect(request.path))
    refused(mirror, store, "redirects more than 5 times")


@pytest.mark.parametrize("how", ["redirect", "next page"])
def test_a_listing_that_leads_to_another_host_is_refused(
    hub: SourceHub, mirror: Mirror, store: Path, how: str
) -> None:
    with source_hub() as other:
        target = f"{other.url}{TREE}{hub.commit}"
        following: dict[str, Lie] = {
            "redirect": to(target),
            "next page": lambda request: request.json([], Link=f'<{target}>; rel="next"'),
        }
        hub.lies[TREE] = following[how]
        facts = {"private_hosts": [hub.address, other.address]}
        refused(mirror, store, "another host; if that is the hub's URL, use it", session=facts)
        assert other.requests == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9", "is not an https URL; .* --allow-private-address 127.0.0.1:9"),
        ("https://127.0.0.1:9", "private address 127.0.0.1"),
        ("huggingface.co", "write it as https://HOST"),
        ("ftp://example.org", "write it as https://HOST"),
        ("https://user:secret@example.org", "has a user"),
        ("https://example.org?x=1", "a query"),
        ("https://[", "write it as https://HOST"),
        ("https://example.org:x", "write it as https://HOST"),
    ],
)
def test_a_hub_address_that_cannot_be_used_is_refused(
    mirror: Mirror, store: Path, address: str, words: str
) -> None:
    message = refused(mirror, store, words, session={"hub": address, "private_hosts": []})
    assert "secret" not in message


@pytest.mark.requirement("IN-13")
def test_a_connection_goes_to_the_address_that_was_checked(
    hub: SourceHub, mirror: Mirror, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a name that has a public address when it is checked, and later a private."""
    looked_up, connected = [], []
    resolve, connect = socket.getaddrinfo, connection.create_connection

    def rebind(host: str, port: int, *args: Any, **options: Any) -> Any:
        if host != "rebinding.example":
            return resolve(host, port, *args, **options)
        looked_up.append(host)
        address = "93.184.216.34" if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def refuse(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        if address == ("127.0.0.1", int(hub.address.rpartition(":")[2])):
            return connect(address, *args, **options)
        connected.append(address)
        raise ConnectionRefusedError

    # No test may ask a name server, or connect to the address of another machine.
    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    monkeypatch.setattr(connection, "create_connection", refuse)
    hub.lie_about(WEIGHTS, to("https://rebinding.example/x"))
    refused(mirror, store, "private address 127.0.0.1")
    assert connected == [("93.184.216.34", 443)]


def test_the_body_of_a_redirect_is_not_read(hub: SourceHub, mirror: Mirror) -> None:
    sent = 0

    def endless(request: Request) -> None:
        nonlocal sent
        request.send_response(302)
        request.send_header("Location", f"{request.path}?again")
        request.send_header("Content-Length", str(1 << 40))
        request.end_headers()
        hub.lies.clear()
        while sent < 1 << 30:
            sent += request.wfile.write(bytes(1 << 16))

    hub.lie_about(WEIGHTS, endless)
    assert mirror()
    assert sent < 100 << 20
