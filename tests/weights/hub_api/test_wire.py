"""Ranges, conditions and resumed downloads over a real socket, with real downloaders."""

import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.support import factories
from tests.support.servers import services
from tests.support.servers.live import Portal
from tests.weights.hub_api.conftest import LARGE
from weights.ledger.models import Download
from weights.publishing.models import Revision

pytestmark = pytest.mark.one_database

SIZE = 1000
SMALL = bytes(range(250)) * 4
Answer = tuple[int, dict[str, str], bytes]


def ask(portal: Portal, path: str, *headers: str, method: str = "GET") -> Answer:
    """Sends one request with exactly these header lines; returns the whole response."""
    where = urlsplit(portal.url)
    assert where.hostname
    assert where.port
    lines = [f"{method} {path} HTTP/1.1", f"Host: {where.netloc}", "Connection: close", *headers]
    with socket.create_connection((where.hostname, where.port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    pairs = (field.split(": ", 1) for field in fields)
    return int(status.split()[1]), {name.lower(): value for name, value in pairs}, body


Row = tuple[list[str], tuple[int, str | None, bytes | None]]


def range_table(tag: str) -> list[Row]:
    """Headers, and what they are answered: status, Content-Range, body where there is one."""
    whole, none = (200, None, SMALL), (416, "bytes */1000", None)

    def part(first: int, last: int) -> tuple[int, str, bytes]:
        return 206, f"bytes {first}-{last}/1000", SMALL[first : last + 1]

    return [
        ([], whole),
        (["Range: items=0-5"], whole),
        (["Range: bytes=0-99"], part(0, 99)),
        (["Range: bytes=999-999"], part(999, 999)),
        (["Range: bytes=5-"], part(5, 999)),
        (["Range: bytes=990-5000"], part(990, 999)),
        (["Range: bytes=-10"], part(990, 999)),
        (["Range: bytes=-5000"], part(0, 999)),
        (["Range: bytes=-0"], none),
        (["Range: bytes=1000-"], none),
        (["Range: bytes=1000000000000000000-"], none),
        (["Range: bytes=0-1000000000000000000"], none),
        (["Range: bytes=5-2"], whole),
        (["Range: bytes="], whole),
        (["Range: -"], whole),
        (["Range: bytes=-"], whole),
        (["Range: bytes=+1-2"], whole),
        (["Range: bytes=1_0-2_0"], whole),
        (["Range: bytes=0x1-0x2"], whole),
        (["Range: bytes=1.0-2.0"], whole),
        (["Range: bytes=\u0661-\u0662"], whole),
        (["Range: bytes=1-2 trailing"], whole),
        (["Range: bytes=0-1,5-6"], whole),
        (["Range: bytes=0-1", "Range: bytes=5-6"], whole),
        (["Range: bytes=0-1", "Range: bytes=0-1"], whole),
        (["Range: bytes=0-9", f"If-Range: {tag}"], part(0, 9)),
        (["Range: bytes=0-9", 'If-Range: "stale"'], whole),
        (["Range: bytes=0-9", f"If-Range: W/{tag}"], whole),
        (["Range: bytes=0-9", "If-Range: Fri, 01 Jan 2100 00:00:00 GMT"], whole),
        (["Range: bytes=0-9", "If-Range: nonsense"], whole),
        ([f"If-None-Match: {tag}", "Range: bytes=0-9"], (304, None, b"")),
        (['If-Match: "other"', "Range: bytes=0-9"], (412, None, None)),
        (["If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"], (412, None, None)),
        ([f"If-Match: {tag}", "Range: bytes=0-9"], part(0, 9)),
    ]


def test_every_row_of_the_range_table_holds_on_the_wire(portal: Portal) -> None:
    revision = factories.published("acme/small", files={"w.bin": SMALL})
    path, tag = "/acme/small/resolve/main/w.bin", f'"{revision.files.get().etag}"'
    for headers, (status, content_range, expected) in range_table(tag):
        found, fields, body = ask(portal, path, *headers)
        assert (found, fields.get("content-range")) == (status, content_range), headers
        assert SMALL[:9] not in body if expected is None else body == expected, headers
        if status != 304:
            assert int(fields["content-length"]) == len(body), headers
        assert fields["etag"] == tag, headers
        assert fields["x-repo-commit"] == revision.sha, headers


@pytest.mark.parametrize("header", ["Range: bytes=0-9", "Range: bytes=5000-"])
def test_a_head_with_a_range_is_a_head_without(portal: Portal, header: str) -> None:
    factories.published("acme/small", files={"w.bin": SMALL})
    path = "/acme/small/resolve/main/w.bin"
    status, fields, body = ask(portal, path, header, method="HEAD")
    assert (status, fields["content-length"], body) == (200, "1000", b"")
    assert "content-range" not in fields


def test_an_unentitled_caller_learns_no_length_by_any_header(portal: Portal) -> None:
    factories.published("acme/gated", factories.tier("reviewed"), {"w.bin": SMALL})
    tellers = ("Range: bytes=0-9", "If-None-Match: *", 'If-Match: "x"', "Range: bytes=9999-")
    for method in ("GET", "HEAD"):
        for teller in tellers:
            answer = ask(portal, "/acme/gated/resolve/main/w.bin", teller, method=method)
            assert answer[0] == 401
            assert answer[1]["x-error-code"] == "GatedRepo"
            assert not {"etag", "x-linked-size", "content-range"} & set(answer[1])


def test_an_encoded_slash_survives_the_web_server(portal: Portal) -> None:
    revision = factories.published("acme/small", files={"a/w.bin": SMALL})
    revision.checkpoint.refs.create(name="feature/x", revision=revision)
    path = "/acme/small/resolve/feature%2Fx/a/w.bin"
    assert ask(portal, path)[2] == SMALL


# -- real downloaders ------------------------------------------------------------------


def fetch(*command: str, within: Path) -> None:
    done = subprocess.run(
        command, cwd=within, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def with_curl(url: str, within: Path) -> None:
    # Without --fail, since curl would report the 416 for a complete file as a failure.
    fetch("curl", "-sS", "-C", "-", "-o", "large.bin", url, within=within)


def with_wget(url: str, within: Path) -> None:
    fetch("wget", "-nv", "--no-proxy", "-c", "-O", "large.bin", url, within=within)


def with_aria2(url: str, within: Path, *more: str) -> None:
    options = ("-x8", "-s8", "-k1M", "--file-allocation=none", "--all-proxy=", "-c", *more)
    fetch("aria2c", *options, "-o", "large.bin", url, within=within)


Download_ = Callable[[str, Path], None]


@pytest.mark.parametrize("download", [with_curl, with_wget, with_aria2])
def test_a_downloader_gets_equal_bytes(
    portal: Portal, nested: Revision, tmp_path: Path, download: Download_
) -> None:
    download(f"{portal.url}/acme/nested/resolve/main/large.bin", tmp_path)
    assert (tmp_path / "large.bin").read_bytes() == LARGE


@pytest.mark.parametrize("partial", [1, 10_000_000, len(LARGE) - 1, len(LARGE)])
@pytest.mark.parametrize("download", [with_curl, with_wget])
def test_a_cut_download_is_resumed(
    portal: Portal, nested: Revision, tmp_path: Path, download: Download_, partial: int
) -> None:
    (tmp_path / "large.bin").write_bytes(LARGE[:partial])
    download(f"{portal.url}/acme/nested/resolve/main/large.bin", tmp_path)
    assert (tmp_path / "large.bin").read_bytes() == LARGE
    assert set(Download.objects.values_list("start", flat=True)) <= {partial}


def test_eight_connections_ask_for_eight_parts(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    # Otherwise the first connection may have it all before the others begin.
    slow = "--max-overall-download-limit=8M"
    with_aria2(f"{portal.url}/acme/nested/resolve/main/large.bin", tmp_path, slow)
    assert Download.objects.filter(start__gt=0).count() >= 7


def test_a_name_with_every_odd_letter_arrives(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    file = nested.files.get(path__startswith="unicode/")
    url = f"{portal.url}/acme/nested/resolve/main/{quote(file.path)}"
    fetch("curl", "--fail", "-sS", "-J", "-O", url, within=tmp_path)
    fetch("wget", "-nv", "--no-proxy", "-O", "by-wget", url, within=tmp_path)
    contents = [path.read_text() for path in tmp_path.iterdir() if path.is_file()]
    assert contents == ["un été\n"] * 2


def test_downloads_that_their_callers_drop_give_their_places_back(
    store: Path, start_portal: Callable[..., Portal]
) -> None:
    portal = start_portal(settings_={"DOWNLOADS_AT_ONCE": "2"})
    factories.published("acme/nested", files={"large.bin": LARGE})
    for _ in range(3):
        with ExitStack() as stalled:
            statuses = [_stalled(portal, stalled) for _ in range(60)]
        assert 429 in statuses
        # Two places in each process of the server, however many it has.
        assert 2 <= statuses.count(200) <= 4
        services.wait_until(
            lambda: ask(portal, "/acme/nested/resolve/main/large.bin")[0] == 200, "a free place"
        )


def _stalled(portal: Portal, until: ExitStack) -> int:
    """Ask for the large file, read its status and no more; dropped when `until` ends."""
    where = urlsplit(portal.url)
    connection = until.enter_context(socket.socket())
    # Small, so that the kernel cannot buffer the whole file for a reader that stopped.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect((where.hostname or "", where.port or 0))
    path = "/acme/nested/resolve/main/large.bin"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    return int(connection.recv(12).split()[1])
