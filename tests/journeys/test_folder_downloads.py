"""The lists in a link's folder, used by the programs they are for."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from weights.delivery import links

pytestmark = [pytest.mark.one_database, pytest.mark.django_db(transaction=True)]

PAPERS = {"LICENCE.md", "NOTICE.txt"}
FILES = {
    "README.md": b"# Card\n",
    "empty.txt": b"",
    " odd & name.txt": b"odd",
    "shard one größe.pt": b"\x80\x02" + bytes(range(256)) * 4000,
    "part/shard-2.pt": b"\x01" * 300_000,
    "part/shard-3.pt": b"\x02" * 300_001,
}
BIG = "shard one größe.pt"
#: aria2 drops the leading space, and reads the ampersand of a Metalink as `&#38;`.
ODD = " odd & name.txt"


@pytest.fixture
def grant(applicant: User, gated_tier: Tier) -> Grant:
    return factories.grant(applicant, gated_tier)


@pytest.fixture
def folder(
    store: Path,
    start_portal: Callable[..., Portal],
    settings: pytest.FixtureRequest,
    grant: Grant,
    gated_tier: Tier,
) -> str:
    settings.PUBLIC_URL = start_portal().url  # type: ignore[attr-defined]
    factories.published("acme/gated", gated_tier, FILES)
    return links.issue_now(grant.user, "acme/gated", 168)


def _fetch(address: str, into: Path) -> Path:
    subprocess.run(["curl", "-sSf", "-o", str(into), address], check=True, timeout=30)
    return into


def _shards(out: Path) -> dict[str, bytes]:
    """The downloaded files without the terms."""
    return {name: content for name, content in _arrived(out).items() if name not in PAPERS}


def _arrived(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


@pytest.fixture
def script(folder: str, tmp_path: Path) -> Path:
    return _fetch(f"{folder}download.sh", tmp_path / "download.sh")


def _run(
    script: Path, out: Path, *operands: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["dash", str(script), "-j", "3", "-o", str(out), *operands],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.needs("shellcheck")
def test_the_script_passes_shellcheck(script: Path) -> None:
    done = subprocess.run(
        ["shellcheck", "-s", "sh", str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.needs("dash", "curl")
def test_the_script_fetches_and_checks_everything_and_again_fetches_nothing(
    script: Path, tmp_path: Path
) -> None:
    done = _run(script, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert _shards(tmp_path / "out") == FILES
    again = _run(script, tmp_path / "out")
    assert again.returncode == 0
    assert "ok " not in again.stderr


@pytest.mark.needs("dash")
def test_the_script_accepts_only_its_options(script: Path, tmp_path: Path) -> None:
    done = _run(script, tmp_path / "out", "http://127.0.0.1/d/new/")
    assert done.returncode == 2
    assert "usage: [WEIGHBRIDGE_LINK='NEW ADDRESS'] sh download.sh" in done.stderr
    assert not (tmp_path / "out").exists()


def _without_curl(tmp_path: Path) -> str:
    """A PATH on which the script finds wget and everything but curl."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in [
        "wget",
        "sha256sum",
        "mktemp",
        "mkdir",
        "wc",
        "tr",
        "cut",
        "sed",
        "tail",
        "dd",
        "rm",
        "mv",
        "sort",
        "dirname",
        "cat",
        "sleep",
    ]:
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)
    return str(tools)


@pytest.mark.needs("dash", "wget")
def test_the_script_does_the_same_with_wget(script: Path, tmp_path: Path) -> None:
    dash = shutil.which("dash")
    done = subprocess.run(
        [str(dash), str(script), "-o", str(tmp_path / "out")],
        env={"PATH": _without_curl(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _shards(tmp_path / "out") == FILES


@pytest.mark.needs("dash", "curl")
@pytest.mark.parametrize(
    "left",
    [FILES[BIG][:500_000], b"x" * 500_000, FILES[BIG] + b"more", b"x" * len(FILES[BIG])],
    ids=["cut", "wrong", "too long", "wrong and whole"],
)
def test_a_partial_file_of_an_earlier_run_is_continued_or_replaced(
    left: bytes, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{BIG}.part").write_bytes(left)
    done = _run(script, out)
    assert done.returncode == 0, done.stderr
    assert _shards(out) == FILES


@pytest.mark.needs("dash", "curl")
def test_a_flipped_byte_in_a_finished_file_is_found_and_repaired(
    script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(script, out)
    damaged = bytearray(FILES[BIG])
    damaged[700] ^= 1
    (out / BIG).write_bytes(damaged)
    assert _run(script, out).returncode == 0
    assert hashlib.sha256((out / BIG).read_bytes()).digest() == hashlib.sha256(FILES[BIG]).digest()


@pytest.mark.needs("dash", "curl")
def test_an_ended_link_says_how_to_renew_it_and_a_new_one_continues(
    script: Path, tmp_path: Path, grant: Grant, applicant: User, gated_tier: Tier
) -> None:
    out = tmp_path / "out"
    lifecycle.revoke(grant, by=None, reason="the test ends it")
    refused = _run(script, out)
    assert refused.returncode == 3
    assert "REFUSED (403)" in refused.stderr
    assert "WEIGHBRIDGE_LINK=" in refused.stderr
    assert FILES[BIG] not in _arrived(out).values()
    factories.grant(applicant, gated_tier)
    renewed = links.issue_now(applicant, "acme/gated", 24)
    done = _run(script, out, WEIGHBRIDGE_LINK=renewed)
    assert done.returncode == 0, done.stderr
    assert _shards(out) == FILES


class _SignInPage(BaseHTTPRequestHandler):
    """A captive portal, as in a hotel: a web page for every URL."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>Please accept our terms</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.needs("dash", "curl")
def test_a_web_page_instead_of_a_file_is_refused(script: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    server = HTTPServer(("127.0.0.1", 0), _SignInPage)
    Thread(target=server.serve_forever, daemon=True).start()
    one_file = tmp_path / "one.sh"
    text = script.read_text()
    table = text.split("END_OF_TABLE'\n")[1].split("\nEND_OF_TABLE")[0]
    card = next(line for line in table.splitlines() if line.endswith("README.md"))
    one_file.write_text(
        text.replace(table, card).replace("COUNT=6", "COUNT=1").replace("TRIES=5", "TRIES=1")
    )
    done = _run(one_file, out, WEIGHBRIDGE_LINK=f"http://127.0.0.1:{server.server_port}/d/x/")
    server.shutdown()
    server.server_close()
    assert done.returncode == 1
    assert "a web page came instead" in done.stderr
    assert not any(b"html" in content for content in _arrived(out).values())


@pytest.mark.requirement("UR-9")
@pytest.mark.needs("aria2c", "curl")
@pytest.mark.parametrize(("name", "options"), [("metalink.xml", ["-M"]), ("aria2.txt", ["-i"])])
def test_aria2_fetches_by_the_list_and_checks_the_hashes_itself(
    name: str, options: list[str], folder: str, tmp_path: Path
) -> None:
    listed = _fetch(folder + name, tmp_path / name)
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        ["aria2c", "-x4", "--no-conf", "-d", str(out), *options, str(listed)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    arrived = _arrived(out)
    assert {name: arrived.get(name) for name in FILES if name != ODD} == {
        name: content for name, content in FILES.items() if name != ODD
    }


@pytest.mark.needs("curl")
def test_curl_fetches_by_its_config(folder: str, tmp_path: Path) -> None:
    listed = _fetch(f"{folder}curl.txt", tmp_path / "curl.txt")
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        ["curl", "-sS", "-K", str(listed)], cwd=out, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert _shards(out) == FILES


@pytest.mark.needs("rclone")
def test_rclone_copies_the_folder(folder: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        ["rclone", "copy", "--config", "/dev/null", "--http-url", folder, ":http:", str(out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    arrived = _arrived(out)
    assert {name: arrived[name] for name in FILES} == FILES
    assert "LICENCE.md" in arrived


@pytest.mark.requirement("UR-9")
@pytest.mark.needs("curl")
def test_sha256sum_accepts_the_files_by_the_folders_list(
    folder: str, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(script, out)
    _fetch(f"{folder}SHA256SUMS", out / "SHA256SUMS")
    check = ["sha256sum", "--check", "SHA256SUMS"]
    done = subprocess.run(check, cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(f"{name}: OK" for name in FILES)


@pytest.mark.needs("dash", "aria2c", "curl")
def test_the_terms_come_with_the_files_by_every_list(
    folder: str, script: Path, tmp_path: Path
) -> None:
    """Unchanged, even if the text contains shell syntax."""
    terms = "# Terms `touch pwned`\n\n$(touch pwned) 'END_OF_TABLE'\n@TABLE@ \\ é\nEND\n"
    LicenceVersion.objects.update(text=terms)
    _fetch(f"{folder}download.sh", script)
    by_script, by_aria2, by_curl = (tmp_path / name for name in ("script", "aria2", "curl"))
    for out in (by_script, by_aria2, by_curl):
        out.mkdir()
    _run(script, by_script)
    listed = _fetch(f"{folder}metalink.xml", tmp_path / "list.xml")
    subprocess.run(["aria2c", "-q", "--no-conf", "-d", by_aria2, "-M", listed], check=True)
    listed = _fetch(f"{folder}curl.txt", tmp_path / "list.txt")
    subprocess.run(["curl", "-sS", "-K", listed], cwd=by_curl, check=True)
    for out in (by_script, by_aria2, by_curl):
        assert (out / "LICENCE.md").read_text() == terms
        assert "acme/gated, revision" in (out / "NOTICE.txt").read_text()
        assert not (out / "pwned").exists()
    assert not Path("pwned").exists()
