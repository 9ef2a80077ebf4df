"""The suite's own services are real ones, and apart from everything else."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.db import connection

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers import s3
from tests.support.servers.live import Portal
from weights.storage import blob_storage


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
