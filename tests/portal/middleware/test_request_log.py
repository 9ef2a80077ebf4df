"""Logs identify a link by its first characters and never contain its credential."""

import logging
import logging.config
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as portal_settings
from django.http import FileResponse, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.api_tokens import token_format
from portal.middleware.request_log import RequestLogMiddleware, loggable
from weights.delivery import links

pytestmark = pytest.mark.one_database

TOKEN = "AbCdEfGhIjKlMnOpQrStUv.1800000000.k1." + "s" * 43


@pytest.mark.requirement("UR-15")
def test_the_token_of_a_checkpoint_link_is_cut() -> None:
    assert loggable(f"/d/{TOKEN}/part/a.pt") == "/d/AbCdEf…/part/a.pt"
    assert loggable("/models") == "/models"


@pytest.mark.requirement("UR-15")
def test_the_signature_of_a_file_link_is_not_logged() -> None:
    request = RequestFactory().get("/f/a/b/c/d.pt?e=1800000000&k=k1.1&s=secret")
    assert RequestLogMiddleware.format_request(request) == "GET /f/a/b/c/d.pt"


@pytest.mark.parametrize("told", ["", "x" * 65, "a b", "a\nb", "é", '{"level":"info"}'])
def test_only_a_plain_short_id_of_a_request_is_taken_over(told: str, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    requests = [RequestFactory().get("/", headers={"X-Request-Id": one}) for one in (told, "own-1")]
    for request in requests:
        RequestLogMiddleware(lambda request: HttpResponse())(request)
    given, own = (request.META["REQUEST_ID"] for request in requests)
    assert own == "own-1"
    assert str(UUID(given)) == given


@pytest.mark.requirement("OP-32")
def test_a_client_without_a_proxy_in_front_chooses_no_id_of_its_request() -> None:
    request = RequestFactory().get("/", headers={"X-Request-Id": "own-1"})
    RequestLogMiddleware(lambda request: HttpResponse())(request)
    assert request.META["REQUEST_ID"] != "own-1"


def test_a_failure_behind_a_link_logs_no_token(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault, since no real one is known")

    # No real request makes this fail, so the test injects the fault.
    monkeypatch.setattr(links, "link_caller", fail)
    client.raise_request_exception = False
    assert client.get(f"/d/{TOKEN}/a.pt").status_code == 500
    assert "AbCdEf" in caplog.text
    assert TOKEN not in caplog.text


def test_a_file_passes_the_log_unwrapped_so_that_the_kernel_sends_it(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(b"bytes")
    with (tmp_path / "shard").open("rb") as stream:
        file: Any = FileResponse(stream)
        RequestLogMiddleware(lambda request: file)(RequestFactory().get("/"))
        assert file.file_to_stream is stream


@pytest.mark.requirement("AU-8")
def test_a_logged_value_neither_forges_a_line_nor_leaks_its_secret() -> None:
    logging_: Any = portal_settings.LOGGING
    configurator = logging.config.DictConfigurator(logging_)
    formatter: Any = configurator.configure_formatter(logging_["formatters"]["lines"])
    token = token_format.new()
    record = logging.makeLogRecord(
        {"msg": "refused %s", "args": (f"a\r\n2026-11-26 [info] forged\x1b[2J {token}",)}
    )
    line = formatter.format(record)
    assert "\n" not in line
    assert "\x1b" not in line
    assert "\\r\\n2026-11-26" in line
    assert token not in line
