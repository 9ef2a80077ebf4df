"""nginx alone with the files of deploy/nginx, without containers or portal."""

import grp
import os
import pwd
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from urllib.error import URLError
from urllib.request import HTTPSHandler, Request, build_opener

import pytest

from portal.health import nginx_access
from tests.support import tools
from tests.support.servers import certificate, services
from tests.support.servers.front import ask, includes
from tests.support.servers.live import ROOT

pytestmark = pytest.mark.needs("nginx")

SITE = ROOT / "deploy" / "nginx" / "site.conf"
#: The http block of Debian's nginx.conf, without its paths.
DEBIAN = """
{user} worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    sendfile on; tcp_nopush on; types_hash_max_size 2048; default_type application/octet-stream;
    ssl_prefer_server_ciphers on; access_log {folder}/access.log; gzip on;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    include {folder}/site.conf;
}}
"""
LINK = "/d/very-secret-token/model.safetensors"


class Portal(BaseHTTPRequestHandler):
    """Hands every request over to nginx, as the portal does for a blob."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Accel-Redirect", "/blobs/aa/bb/blob")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def portal() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Portal)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def site(folder: Path, portal: str, port: int, https_port: int) -> list[str]:
    """The command of nginx with Debian's settings and site.conf on other ports and paths."""
    certificate.self_signed(folder)
    includes(folder)
    text = SITE.read_text().replace("    listen [::]:80 default_server;\n", "")
    text = text.replace("    listen [::]:443 ssl default_server;\n", "")
    for theirs, ours in {
        "listen 80 ": f"listen 127.0.0.1:{port} ",
        "listen 443 ": f"listen 127.0.0.1:{https_port} ",
        "/etc/weighbridge/tls/fullchain.pem": f"{folder}/site.pem",
        "/etc/weighbridge/tls/privkey.pem": f"{folder}/site.pem",
        "/var/log/nginx/": f"{folder}/",
        "http://127.0.0.1:8000": portal,
        "/srv/weights/": f"{folder}/store/",
    }.items():
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    (folder / "site.conf").write_text(text)
    # The workers of Debian's nginx have a user of their own.
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    user = f"user nobody {group};" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(DEBIAN.format(folder=folder, user=user))
    return [str(tools.find("nginx")), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, which those of pytest are not."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def address(folder: Path, portal: str) -> Iterator[tuple[str, str]]:
    """The addresses of a running nginx, by http and by https; its blob is in `folder`/store."""
    port, https_port = services.free_port(), services.free_port()
    blob = folder / "store" / "aa" / "bb" / "blob"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"weights")
    for each in (*blob.parents[:3], blob):  # whatever the umask is
        each.chmod(0o755)
    process = services.start(site(folder, portal, port, https_port), folder / "out.log")
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, (folder / "out.log").read_text()
        try:
            return bool(ask(Request(url))[0])
        except URLError:
            return False

    try:
        services.wait_until(answers, "nginx")
        yield url, f"https://127.0.0.1:{https_port}"
    finally:
        services.stop(process)


def lines(log: Path, url: str) -> str:
    """The lines of a log for all requests so far.

    nginx writes them after the answer, but before its only process takes another request.
    """
    ask(Request(url))
    return log.read_text()


def test_the_site_works_under_debians_settings_by_http_and_https(
    folder: Path, address: tuple[str, str]
) -> None:
    assert ask(Request(address[0] + LINK))[::2] == (200, b"weights")
    context = ssl.create_default_context(cafile=folder / "site.pem")
    with build_opener(HTTPSHandler(context=context)).open(address[1] + LINK) as answer:
        assert answer.read() == b"weights"
    logged = lines(folder / "access.log", address[0])
    assert logged.count('"GET /d/-" 200') == 2
    assert "very-secret" not in logged
    assert "cannot read" not in (folder / "error.log").read_text()


def test_a_blob_that_nginx_may_not_read_is_named_in_the_error_log_and_answers_503(
    folder: Path, address: tuple[str, str]
) -> None:
    blob = folder / "store" / "aa" / "bb" / "blob"
    blob.chmod(0)
    status, headers, body = ask(Request(address[0] + LINK))
    assert (status, headers["Retry-After"]) == (503, "10")
    assert headers["X-Error-Code"] == "storage_unavailable"
    assert b"does not answer" in body
    log = lines(folder / "error.log", address[0])
    assert "[error] nginx cannot read /blobs/aa/bb/blob (503)" in log
    assert "very-secret" not in log


def test_a_blob_outside_the_alias_is_named_in_the_error_log(
    folder: Path, address: tuple[str, str]
) -> None:
    (folder / "store").rename(folder / "elsewhere")
    assert ask(Request(address[0] + LINK))[0] == 404
    log = lines(folder / "error.log", address[0])
    assert "nginx cannot read /blobs/aa/bb/blob (404)" in log


def test_a_request_past_the_gate_is_neither_answered_nor_logged_as_a_fault(
    folder: Path, address: tuple[str, str]
) -> None:
    assert ask(Request(address[0] + "/blobs/aa/bb/blob"))[0] == 404
    assert "cannot read" not in lines(folder / "error.log", address[0])


def test_the_portal_sees_the_user_of_nginx(address: tuple[str, str]) -> None:
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    assert user in {reader.name for reader in nginx_access.nginx_readers()}
