"""The suite's services are real, and separate from everything else on the machine."""

import os
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest
from django.db import connection

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers import s3, services
from tests.support.servers.live import Portal
from weights.storage import blob_storage


class Healthy(BaseHTTPRequestHandler):
    """Answers every address with an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


def test_the_data_folder_is_not_the_running_install() -> None:
    assert not os.environ["DATA_DIR"].endswith("var")


def test_a_file_with_helpers_that_start_servers_has_no_fast_test(
    request: pytest.FixtureRequest,
) -> None:
    assert request.node.get_closest_marker("fast") is None


def test_nothing_beyond_loopback_can_be_reached() -> None:
    with socket.socket() as probe, pytest.raises(AssertionError, match="beyond loopback"):
        probe.connect(("192.0.2.1", 80))


@pytest.mark.django_db
def test_the_tests_use_the_requested_database() -> None:
    assert connection.vendor == {"sqlite": "sqlite"}.get(
        os.environ.get("TEST_DB", ""), "postgresql"
    )


def test_a_published_checkpoint_has_its_bytes_in_the_store(store: Path, gated_tier: Tier) -> None:
    revision = factories.published(tier=gated_tier)
    for file in revision.files.all():
        with blob_storage().open(file.sha256) as stream:
            assert stream.read() == factories.SMALL_MODEL[file.path]


def test_the_same_factory_fills_a_real_s3_store(s3_store: str, open_tier: Tier) -> None:
    revision = factories.published(tier=open_tier)
    assert {blob_storage().size(file.sha256) for file in revision.files.all()} == {
        len(content) for content in factories.SMALL_MODEL.values()
    }


def test_the_s3_store_refuses_a_wrong_key(
    s3_server: s3.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        s3_server.client().put_object(Bucket=s3.BUCKET, Key="x", Body=b"x")


def test_a_real_portal_sees_the_rows_of_this_test(
    portal_server: Portal, transactional_db: None
) -> None:
    factories.person("mira")
    shown = portal_server.manage(
        "shell", "-v0", "-c", "from accounts.models import User; print(User.objects.get().username)"
    )
    assert shown.stdout.strip() == "mira", shown.stderr


def test_a_test_with_a_server_fixture_is_marked(
    s3_endpoint: str, request: pytest.FixtureRequest
) -> None:
    assert request.node.get_closest_marker("processes")


def test_a_test_with_only_the_database_is_not_marked(
    db: None, request: pytest.FixtureRequest
) -> None:
    assert request.node.get_closest_marker("processes") is None


def test_a_killed_portal_comes_back_at_the_same_address(
    store: Path, start_portal: Callable[..., Portal]
) -> None:
    portal = start_portal()
    portal.kill("web")
    portal.start("web")
    portal.wait_for_web()
    with urlopen(f"{portal.url}/healthz") as page:
        assert page.status == 200
    assert not User.objects.exists()


def test_an_address_that_another_program_took_is_noticed(
    store: Path, start_portal: Callable[..., Portal], monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), Healthy) as other:
        # As if the other took the port just after the probe.
        monkeypatch.setattr(services, "free_port", lambda: other.server_port)
        Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(AssertionError, match="another program answers at http://127"):
            start_portal()
        other.shutdown()


def test_no_other_process_is_given_a_port_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    first = 1_024 + os.getpid() % 8_000
    # A block that no suite uses, and two processes that have just begun.
    monkeypatch.setattr(services, "_FIRST_PORT", first)
    monkeypatch.setattr(services, "_END_OF_PORTS", first + services._BLOCK)
    monkeypatch.setattr(services, "_PORTS", [])
    assert first <= services.free_port() < first + services._BLOCK
    monkeypatch.setattr(services, "_PORTS", [])  # the second
    with pytest.raises(RuntimeError, match="other suites have claimed all ports"):
        services.free_port()
