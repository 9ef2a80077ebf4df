"""Keys, static files, disks, backups, the public URL and Django's checks."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from django.conf import settings
from django.core.checks import run_checks
from django.db import Error, connection
from django.template.defaultfilters import pluralize
from django.utils import timezone

from accounts.audit.merkle_log import signed_heads
from accounts.background.models import Heartbeat
from accounts.web.loopback import is_loopback_url
from portal.backup import reread
from portal.health import backups as health_backups
from portal.install_check.findings import (
    Finding,
    fault,
    judged,
    network_reason,
    ok,
    reason,
    warning,
)
from weights.manifests import keys as manifest_keys

#: Free fractions of a disk below which writes will soon fail, and fail now.
_LOW, _FULL = 0.10, 0.02


def keys() -> Iterator[Finding]:
    """The key rings, which were validated at start, and the signing keys."""
    for name in ("LINK_KEYS", "ENCRYPTION_KEYS"):
        count = len(getattr(settings, name))
        yield ok(name, f"{count} key{pluralize(count)}")
    signers = {
        "MANIFEST_KEY_FILE": manifest_keys.private_key,
        "AUDIT_KEY_FILE": signed_heads.private_key,
    }
    for name, load in signers.items():
        path = getattr(settings, name)
        if not path:
            yield warning(name, "not set here: set it for the workers, or nothing is signed")
            continue
        try:
            load()
        except (OSError, ValueError) as error:
            yield fault(name, f"{path} cannot be used: {reason(error)}; docs/operating.md, Keys")
        else:
            yield ok(name, f"{path} can be used")


def static_files() -> Iterator[Finding]:
    name, manifest = "Static files", Path(settings.STATIC_ROOT) / "staticfiles.json"
    if manifest.is_file():
        yield ok(name, f"collected in {settings.STATIC_ROOT}")
    else:
        yield fault(name, f"{manifest} is missing: run manage.py collectstatic --noinput")


def disks() -> Iterator[Finding]:
    """Free space where this install writes: data folder, database file, store, working files."""
    folders = [getattr(settings, "DATA_DIR", None), "/tmp"]  # noqa: S108 - a mount to look at
    if connection.vendor == "sqlite":
        folders.append(Path(connection.settings_dict["NAME"]).parent)
    if settings.WEIGHTS_STORAGE.startswith("file:"):
        folders.append(urlsplit(settings.WEIGHTS_STORAGE).path)
    there = {str(Path(folder)) for folder in folders if folder and Path(folder).exists()}
    for folder in sorted(there):
        usage = shutil.disk_usage(folder)
        free = usage.free / usage.total if usage.total else 0
        text = f"{free:.0%} free ({usage.free // 10**6} MB)"
        name = f"Disk of {folder}"
        if free < _FULL:
            yield fault(name, f"{text}: writes fail; free space, or enlarge it")
        else:
            yield warning(name, f"{text}: enlarge it") if free < _LOW else ok(name, text)


def backups() -> Iterator[Finding]:
    """The last backup that `manage.py backup` made of this database."""
    try:
        beat = Heartbeat.objects.filter(name=reread.HEARTBEAT).first()
    except Error:  # the check of the database reports why
        yield warning("Last backup", "not known, because the database cannot be read: see above")
        return
    if beat is None:
        yield warning("Last backup", "none was made: run manage.py backup FOLDER each day")
    else:
        yield judged("Last backup", *health_backups.check(beat, timezone.now()))


def address() -> Iterator[Finding]:
    """Request the public URL like users do, through the proxies in front."""
    name, url = "Address (PUBLIC_URL)", settings.PUBLIC_URL
    if is_loopback_url(url):
        yield warning(name, f"{url} is reached from this machine only; set PUBLIC_URL and a proxy")
    try:
        with urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310 - our own  # nosec B310
            is_ours = answer.read(10) == b"ok\n"
    except OSError as error:
        yield warning(
            name,
            f"{url} does not answer here ({network_reason(error)}): is the web server running? If"
            " it is, correct PUBLIC_URL",
        )
        return
    if is_ours:
        count = settings.TRUSTED_PROXIES
        proxies = "1 proxy is" if count == 1 else f"{count} proxies are"
        yield ok(name, f"{url} answers; {proxies} trusted")
    else:
        yield fault(name, f"{url} is answered by something else: correct it, or the proxy")


def django_checks() -> Iterator[Finding]:
    """What `manage.py check --deploy` reports about a portal that others can reach."""
    deployed = settings.PUBLIC_URL.startswith("https://")
    messages = run_checks(include_deployment_checks=deployed)
    for message in messages:
        if not message.is_silenced():
            hint = f"; {message.hint}" if message.hint else ""
            yield warning(f"Settings ({message.id})", f"{message.msg}{hint}")
    if not messages:
        yield ok("Settings", "manage.py check has no remarks")
