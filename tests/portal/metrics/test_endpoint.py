"""`/metrics` exists only if set, adds up all processes, and reaches Prometheus."""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured

from portal import processes
from portal.settings import environment
from tests.support import promtool, tools
from tests.support.servers import services
from tests.support.servers.front import Front, ask
from tests.support.servers.live import Portal

pytestmark = [pytest.mark.one_database, pytest.mark.usefixtures("store")]

TOKEN = secrets.token_hex(32)


@pytest.fixture
def measured(start_portal: Callable[..., Portal], monkeypatch: pytest.MonkeyPatch) -> Portal:
    """A portal of two processes with both settings; `environment` has its METRICS_ADDRESS."""
    address = f"127.0.0.1:{services.free_port()}"
    monkeypatch.setenv("METRICS_ADDRESS", address)  # the command names it too
    monkeypatch.setenv("METRICS_TOKEN", TOKEN)
    return start_portal(settings_={"WEB_WORKERS": "2"})


def _get(url: str, **headers: str) -> tuple[int, Any, str]:
    status, found, body = ask(Request(url, headers=headers))
    return status, found, body.decode()


def _total(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, flags=re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.requirement("OP-30")
def test_without_a_setting_there_is_no_such_page(start_portal: Callable[..., Portal]) -> None:
    portal = start_portal()
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}):
        status, _, body = _get(f"{portal.url}/metrics", **headers)
        assert status == 404
        assert "weighbridge_" not in body


@pytest.mark.requirement("OP-30")
def test_the_address_and_the_token_open_metrics_and_nothing_else_does(measured: Portal) -> None:
    inner = f"http://{measured.environment['METRICS_ADDRESS']}"
    for _ in range(20):
        assert _get(f"{measured.url}/healthz")[0] == 200
    before, _, text = _get(f"{inner}/metrics", Host="any.name.example")
    assert before == 200
    healthz = 'weighbridge_http_requests_total{method="GET",route="healthz",status="200"}'
    assert _total(text, healthz) >= 20, "the sum of both processes"
    assert _total(text, "weighbridge_database_up") == 1
    for path in ("/", "/healthz", "/admin/", "/metrics/", "//metrics"):
        assert _get(f"{inner}{path}")[0] == 404, path

    public = f"{measured.url}/metrics"
    port = inner.rpartition(":")[2]
    assert _get(public)[0] == 401
    assert _get(public, Host=f"127.0.0.1:{port}")[0] == 401
    for wrong in ("Bearer", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer \xe9", TOKEN):
        status, headers, body = _get(public, Authorization=wrong)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "weighbridge_" not in body
    status, headers, body = _get(public, Authorization=f"Bearer {TOKEN}")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "weighbridge_review_waiting_applications 0.0" in body


@pytest.mark.requirement("OP-30")
@pytest.mark.needs("nginx")
def test_nginx_forwards_no_request_for_metrics(start_front: Callable[..., Front]) -> None:
    front = start_front(METRICS_TOKEN=TOKEN)
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    for path in ("/metrics", "/%6detrics", "//metrics", "/x/../metrics"):
        assert front.get(path, **authorization)[0] == 404, path
    assert _get(f"{front.portal.url}/metrics", **authorization)[0] == 200


def test_an_address_that_cannot_be_listened_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("9100", "host:", "host:0", "host:65536", "http://host:9100", "a b:1"):
        monkeypatch.setenv("METRICS_ADDRESS", wrong)
        with pytest.raises(ImproperlyConfigured, match=r"^METRICS_ADDRESS: .*is not host:port"):
            environment.address("METRICS_ADDRESS")
    monkeypatch.setenv("METRICS_ADDRESS", "0.0.0.0:8000")
    with pytest.raises(ImproperlyConfigured, match="the port of the portal itself"):
        processes.web("127.0.0.1:8000")


# -- a real Prometheus ----------------------------------------------------------------------


@contextmanager
def _prometheus(folder: Path, address: str, portal: str) -> Iterator[str]:
    """Run Prometheus on both ways in and our alert rules; yields its URL."""
    (folder / "token").write_text(TOKEN)
    jobs = [
        {"job_name": "weighbridge", "static_configs": [{"targets": [address]}]},
        {
            "job_name": "with a token",
            "authorization": {"credentials_file": str(folder / "token")},
            "static_configs": [{"targets": [portal]}],
        },
    ]
    settings = {
        "global": {"scrape_interval": "5s", "scrape_timeout": "5s", "evaluation_interval": "1s"},
        "rule_files": [str(promtool.ALERTS)],
        "scrape_configs": jobs,
    }
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(settings))
    promtool.check("check", "config", str(config))
    listen = f"127.0.0.1:{services.free_port()}"
    command = [
        str(tools.find("prometheus")),
        *(f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
        f"--web.listen-address={listen}",
    ]
    process = services.start(command, folder / "prometheus.log", dict(os.environ))
    try:
        yield f"http://{listen}"
    finally:
        services.stop(process)


def _query(prometheus: str, expression: str) -> list[Any]:
    """The samples of an expression; none while Prometheus starts."""
    try:
        with urlopen(f"{prometheus}/api/v1/query?query={quote(expression)}", timeout=10) as answer:
            return list(json.load(answer)["data"]["result"])
    except OSError:
        return []


@pytest.mark.needs("prometheus", "promtool")
def test_prometheus_scrapes_both_ways_in_and_notices_a_dead_portal(
    measured: Portal, tmp_path: Path
) -> None:
    address = measured.environment["METRICS_ADDRESS"]
    promtool.check("check", "metrics", text=_get(f"http://{address}/metrics")[2])
    with _prometheus(tmp_path, address, measured.url.removeprefix("http://")) as prometheus:

        def scraped() -> bool:
            found = _query(prometheus, "weighbridge_database_up == 1")
            jobs = {one["metric"]["job"] for one in found}
            is_quiet = not _query(prometheus, 'ALERTS{alertname="WeighbridgeDown"}')
            return is_quiet and jobs == {"weighbridge", "with a token"}

        services.wait_until(scraped, "a sample of both jobs, and no alert", pause=0.5)
        measured.kill("web")
        pending = 'ALERTS{alertname="WeighbridgeDown", alertstate="pending"}'
        services.wait_until(lambda: bool(_query(prometheus, pending)), "the alert", pause=0.5)
