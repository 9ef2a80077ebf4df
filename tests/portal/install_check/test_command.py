"""`manage.py check_install` on a sound install and with real faults."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.background.models import Heartbeat
from portal.install_check import machine, services
from portal.install_check import store as store_check
from portal.install_check.findings import Finding, run
from tests.conftest import MISSING
from tests.support import disks
from tests.support.servers import live
from tests.support.servers import services as servers
from tests.support.servers.live import Portal
from weights.storage import blob_storage

DOCUMENTED = ("check_install", "check_install --json")


def only(found: list[Finding], name: str) -> Finding:
    return next(one for one in found if one.name.startswith(name))


def one_line(output: str, start: str) -> str:
    (line,) = (line for line in output.splitlines() if line.startswith(start))
    return line


def states(found: list[Finding]) -> dict[str, str]:
    return {one.name: one.state for one in found}


# -- an install that is well ----------------------------------------------------------------


def test_the_documented_commands_find_no_fault_in_an_install_that_is_well(
    start_portal: Callable[..., Portal], store: Path, tmp_path: Path
) -> None:
    portal = start_portal()
    page = (live.ROOT / "docs" / "upgrading.md").read_text()
    for command in DOCUMENTED:
        assert f"    .venv/bin/python manage.py {command}\n" in page
        done = portal.manage(*command.split())
        assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    found = {one["name"]: one["state"] for one in document["findings"]}
    assert document["ok"]
    for name in ("Migrations", "Writes", "Queue (BROKER_URL)", "Cache (CACHE_URL)"):
        assert found[name] == "ok"
    assert found["Store (WEIGHTS_STORAGE)"] == "ok"
    assert found["Static files"] == "ok"
    assert found["Address (PUBLIC_URL)"] == "ok"
    assert list(blob_storage().list_objects()) == []


@pytest.mark.django_db
def test_the_check_stores_nothing(store: Path) -> None:
    events = AuditEvent.objects.count()
    assert only(list(services.database()), "Writes").state == "ok"
    assert not Heartbeat.objects.exists()
    assert AuditEvent.objects.count() == events


# -- faults ---------------------------------------------------------------------------------


def test_a_broker_that_is_stopped_is_a_fault(tmp_path: Path, store: Path) -> None:
    port = servers.free_port()
    environment = live.environment("http://127.0.0.1:1", f"file://{store}") | {
        "BROKER_URL": f"redis://127.0.0.1:{port}/0",
        "CACHE_URL": f"redis://127.0.0.1:{port}/1",
    }
    done = Portal("", environment, tmp_path).manage("check_install")
    assert (done.returncode, done.stderr) == (1, "")
    for name, variable in (("Queue", "BROKER_URL"), ("Cache", "CACHE_URL")):
        line = one_line(done.stdout, f"fault    {name} ({variable}): does not answer")
        assert line.endswith(f"Connection refused; start it, or correct {variable}")


def test_a_database_that_is_stopped_is_one_fault_with_what_to_do(
    tmp_path: Path, store: Path
) -> None:
    environment = live.environment("http://127.0.0.1:1", f"file://{store}")
    address = f"postgres://nobody@127.0.0.1:{servers.free_port()}/nothing"
    done = Portal("", environment | {"DATABASE_URL": address}, tmp_path).manage("check_install")
    assert done.returncode == 1, done.stderr
    line = one_line(done.stdout, "fault    Database: the database does not answer")
    assert line.endswith("; start it, or correct DATABASE_URL or DATABASE_PASSWORD")
    line = one_line(done.stdout, "warning  Last backup")
    assert line.endswith("not known, because the database cannot be read: see above")
    line = one_line(done.stdout, "warning  Address (PUBLIC_URL): http://127.0.0.1:1 does not")
    assert line.endswith(
        "(Connection refused): is the web server running? If it is, correct PUBLIC_URL"
    )


def test_a_key_that_others_can_read_ends_it_with_what_to_do(tmp_path: Path, store: Path) -> None:
    key = tmp_path / "manifest.pem"
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    key.chmod(0o644)
    environment = live.environment("http://127.0.0.1:1", f"file://{store}")
    done = Portal("", environment | {"MANIFEST_KEY_FILE": str(key)}, tmp_path).manage(
        "check_install"
    )
    assert done.returncode == 1
    assert f"MANIFEST_KEY_FILE: {key} is readable by everybody; chmod 600" in done.stderr


@pytest.mark.django_db
def test_a_store_without_its_disk_is_a_fault(settings: Settings, tmp_path: Path) -> None:
    settings.WEIGHTS_STORAGE = f"file://{tmp_path}/nothing"
    found = only(list(store_check.store()), "Store")
    assert found.state == "fault"
    assert "is its disk mounted?" in found.text
    assert "or correct WEIGHTS_STORAGE" in found.text


def test_a_full_disk_is_a_fault(settings: Settings, db: None) -> None:
    if why := disks.why_none():
        pytest.skip(f"{MISSING}: {why}")
    with disks.small(8 << 20) as disk:
        settings.WEIGHTS_STORAGE = f"file://{disk.folder}"
        blob_storage().create()
        assert only(list(store_check.store()), "Store").state == "ok"
        (disk.folder / "other").write_bytes(bytes(1 << 20))
        disk.fill()
        found = only(list(store_check.store()), "Store")
        space = only(list(machine.disks()), f"Disk of {disk.folder}")
    assert (found.state, space.state) == ("fault", "fault")
    assert "writes fail" in space.text


def test_a_bucket_of_somebody_else_and_a_store_that_is_gone_are_faults(
    s3_store: str, settings: Settings
) -> None:
    assert states(list(store_check.store())) == {
        "Store (WEIGHTS_STORAGE)": "ok",
        "Clock of the store": "ok",
        "Files for nginx (ACCEL_LOCATION)": "ok",
    }
    settings.S3_SESSION = {"aws_access_key_id": "nobody", "aws_secret_access_key": "wrong"}
    assert only(list(store_check.store()), "Store").state == "fault"
    settings.S3_ENDPOINT_URL = f"http://127.0.0.1:{servers.free_port()}"
    found = list(run({"Store": store_check.store}))
    assert only(found, "Store").state == "fault"


def test_a_clock_two_hours_off_names_both_directions() -> None:
    now = datetime.now(UTC)
    ahead = services.clock("Clock", now - timedelta(hours=2))
    behind = services.clock("Clock", now + timedelta(hours=2))
    assert (ahead.state, behind.state) == ("fault", "fault")
    assert "is 7200 s ahead of it" in ahead.text
    assert "is 7200 s behind it" in behind.text
    assert services.clock("Clock", now).state == "ok"


def test_a_mail_server_that_is_gone_is_a_fault(settings: Settings) -> None:
    settings.MAIL_LEAVES = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", servers.free_port()
    found = only(list(services.mail()), "Mail")
    assert found.state == "fault"
    assert found.text == (
        f"127.0.0.1:{settings.EMAIL_PORT} cannot be used: Connection refused; correct EMAIL_URL"
    )
    settings.MAIL_LEAVES = False
    assert only(list(services.mail()), "Mail").state == "warning"


def test_one_key_is_not_called_keys(settings: Settings) -> None:
    settings.LINK_KEYS = ["only"]
    assert only(list(machine.keys()), "LINK_KEYS").text == "1 key"


def test_missing_static_files_are_a_fault(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    assert "collectstatic" in only(list(machine.static_files()), "Static").text


@pytest.mark.django_db
def test_the_age_of_the_last_backup_is_judged() -> None:
    assert only(list(machine.backups()), "Last").state == "warning"
    beat = Heartbeat.objects.create(name="backup", at=timezone.now())
    assert only(list(machine.backups()), "Last").state == "ok"
    beat.at -= timedelta(days=30)
    beat.save()
    assert only(list(machine.backups()), "Last").state == "warning"


def test_an_address_that_something_else_answers_is_a_fault(
    settings: Settings, start_portal: Callable[..., Portal], store: Path
) -> None:
    portal = start_portal()
    settings.PUBLIC_URL = f"{portal.url}/no-such-page?"
    assert {one.state for one in machine.address()} == {"warning"}
    settings.PUBLIC_URL = portal.url
    assert [one.state for one in machine.address()] == ["warning", "ok"]


def test_a_check_that_fails_with_an_error_is_a_fault_and_the_others_go_on() -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("One", "ok", str(int("a reason")))

    found = list(run({"One": broken, "Two": lambda: iter([Finding("Two", "ok", "fine")])}))
    assert [(one.name, one.state, one.text) for one in found] == [
        ("One", "fault", "invalid literal for int() with base 10: 'a reason'"),
        ("Two", "ok", "fine"),
    ]
