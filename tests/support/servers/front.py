"""nginx with deploy/nginx.conf in front of a portal with production settings."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from tests.support import tools
from tests.support.servers import services
from tests.support.servers.live import ROOT, Portal

NGINX = ROOT / "deploy" / "nginx.conf"


@dataclass
class Front:
    """A running nginx with its portal: their URLs, and nginx's log."""

    url: str
    store_url: str
    portal: Portal
    log: Path

    def answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except URLError:
            return False

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        """Send a request; return status, headers and body. Does not follow redirects."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(Request(self.url + path, headers=names, method=method))


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER: OpenerDirector = build_opener(_NoRedirect)


def ask(request: Request) -> tuple[int, Any, bytes]:
    """Send a request; return status, headers and body for any status."""
    try:
        with _OPENER.open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@contextmanager
def front(
    start_portal: Callable[..., Portal],
    folder: Path,
    blobs: str,
    store: str | None,
    environment: dict[str, str],
) -> Iterator[Front]:
    """Run nginx and a portal behind it; `blobs` is the folder that nginx serves."""
    port, store_port = services.free_port(), services.free_port()
    running = Front(
        f"http://127.0.0.1:{port}",
        f"http://127.0.0.1:{store_port}",
        start_portal(
            settings_={
                "DJANGO_SETTINGS_MODULE": "portal.settings.production",
                "PUBLIC_URL": f"http://127.0.0.1:{port}",
                "ALLOWED_HOSTS": "127.0.0.1",
                "S3_PUBLIC_ENDPOINT_URL": f"http://127.0.0.1:{store_port}",
                "TRUSTED_PROXIES": "1",
                **environment,
            }
        ),
        folder / "nginx.log",
    )
    conf = folder / "nginx.conf"
    local_names = {
        "http://web:8000": running.portal.url,
        "http://store:8333": store or "http://127.0.0.1:1",
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "listen 9000;": f"listen 127.0.0.1:{store_port};",
        "/srv/weights/": f"{blobs}/",
        "/tmp/nginx": f"{folder}/nginx",
    }
    conf.write_text(localised(NGINX.read_text(), local_names))
    includes(folder)
    process = services.start(_nginx(conf), running.log)
    try:
        services.wait_until(running.answers, "nginx")
        yield running
    finally:
        services.stop(process)


def _nginx(conf: Path) -> list[str]:
    """nginx's command in the foreground; run by root, its workers are root, to read tmp_path."""
    user = " user root;" if os.geteuid() == 0 else ""
    return [str(tools.find("nginx")), "-c", str(conf), "-g", f"daemon off;{user}"]


def includes(folder: Path) -> None:
    """Copy the common parts to where a configuration in `folder` includes them."""
    link = folder / "weighbridge"
    if not link.exists():
        link.symlink_to(ROOT / "deploy" / "nginx")


def localised(text: str, local_names: dict[str, str]) -> str:
    """A configuration with this test's addresses and folders instead of the documented ones.

    Replaces them in one pass, because a local folder may begin with a documented one (/tmp/).
    """
    for documented in local_names:
        assert documented in text, documented
    longest_first = sorted(local_names, key=len, reverse=True)
    names = re.compile("|".join(map(re.escape, longest_first)))
    return names.sub(lambda found: local_names[found[0]], text)
