"""The health page reports that nginx's user may not read the blobs that it must send."""

import os
from pathlib import Path

import pytest
from pytest_django import Settings

from portal.health import nginx_access
from portal.health.nginx_access import Reader
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

GROUP = 54321
#: Neither root nor the user of the tests.
NGINX = Reader(54320, frozenset({GROUP}))


@pytest.fixture
def handed_over(store: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with blobs, which nginx sends."""
    settings.ACCEL_LOCATION = "/blobs/"
    # No nginx runs beside these tests; tests/deploy/test_nginx.py finds the user of a real one.
    monkeypatch.setattr(nginx_access, "nginx_readers", lambda: {NGINX})
    factories.published("acme/small")
    may = Reader.may

    def judge(self: Reader, path: Path, right: int) -> bool:
        return path in store.parents or may(self, path, right)

    # pytest closes the folders above the store to other users, so they count as open.
    monkeypatch.setattr(Reader, "may", judge)
    return store


def test_a_store_for_the_portals_user_alone_is_an_alarm_that_names_the_first_closed_path(
    handed_over: Path,
) -> None:
    state, text = nginx_access.check()
    assert state == "alarm"
    assert f"may not read {handed_over}" in text
    assert "docs/one-server.md" in text


def test_a_setgid_store_of_nginxs_group_is_readable_and_one_closed_blob_is_named(
    handed_over: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving files to another group takes root")
    for path in (handed_over, *handed_over.rglob("*")):
        os.chown(path, -1, GROUP)
        path.chmod(0o2750 if path.is_dir() else 0o640)
    assert nginx_access.check() == ("ok", "nginx (54320) may read the store")
    blob = next(handed_over.glob("??/??/*"))
    blob.chmod(0o600)
    assert str(blob) in nginx_access.check()[1]


def test_without_a_visible_nginx_or_a_folder_nothing_is_claimed(
    handed_over: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if nginx ran in another container, whose processes cannot be seen.
    monkeypatch.setattr(nginx_access, "nginx_readers", set)
    assert nginx_access.check()[1].startswith("not checked")
    settings.ACCEL_LOCATION = ""
    assert nginx_access.check()[1].startswith("not used")
