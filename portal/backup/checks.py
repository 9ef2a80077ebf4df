"""Is a restored install whole? By the commands that an operator would run after a real loss.

`python -m portal.backup.checks STORE [SAMPLE]` asks that of the install of DATABASE_URL, as a
process of its own, because all of the portal asks the database of its settings: so no model is
imported here. It exits 1 with a last line that names what failed.
"""

import os
import subprocess
import sys
from collections.abc import Callable

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from portal.errors import BackupError
from portal.supervisor.children import tie_to_parent

FAILED = "failed: "


def failures(url: str, store: str, sample: int | None, say: Callable[[str], None]) -> list[str]:
    """Have the database of this URL checked, pass on each line, and return what failed."""
    some = [] if sample is None else [str(sample)]
    done = subprocess.run(
        [sys.executable, "-m", "portal.backup.checks", store, *some],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=tie_to_parent(),
    )
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    for line in lines:
        say(f"  {line}")
    if done.returncode == 0:
        return []
    last = lines[-1] if lines else ""
    return [last.removeprefix(FAILED)] if last.startswith(FAILED) else ["the checks"]


def main(store: str, sample: str = "") -> int:
    """Migrations, then trail and manifests, whatever the one before has said."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    django.setup()
    some = {"sample": int(sample)} if sample else {}
    try:
        bring_up(_say)
    except BackupError as error:
        _say(str(error))
        failed = ["its version"]
    else:
        failed = audit(_say)
        if not _passes("verify_manifests", _say, blobs=store, **some):
            failed.append("the manifests")
    if failed:
        _say(FAILED + ", ".join(failed))
    return 1 if failed else 0


def bring_up(say: Callable[[str], None]) -> None:
    """Apply what an older version of the portal, whose backup it is, did not know yet.

    Raises BackupError where this version is the older one.
    """
    if unknown := _of_newer_version():
        raise BackupError(
            f"the backup is of a newer version of the portal, which has {unknown}; install that"
            " one, then run the same again"
        )
    try:
        call_command("migrate", check_unapplied=True, verbosity=0)
    except SystemExit:
        call_command("migrate", interactive=False, verbosity=0)
        say("migrations: applied, the backup is of an older version")
    else:
        say("migrations: none to apply")


def _of_newer_version() -> str:
    """A migration of ours that was applied and that nobody here knows; empty if there is none."""
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations) | set(loader.replacements)
    known |= {old for one in loader.replacements.values() for old in one.replaces}
    ours = {app for app, _ in loader.disk_migrations}
    unknown = [key for key in loader.applied_migrations if key not in known and key[0] in ours]
    return ".".join(max(unknown)) if unknown else ""


def audit(say: Callable[[str], None]) -> list[str]:
    """What failed of the sealed trail."""
    return [] if _passes("verify_audit", say) else ["the audit trail"]


def _passes(command: str, say: Callable[[str], None], **options: object) -> bool:
    try:
        call_command(command, **options)
    except CommandError as error:
        say(f"{command}: {error}")
        return False
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
