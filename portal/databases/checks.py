"""Check a restored or moved database: its migrations, the audit trail, the manifests.

`python -m portal.databases.checks STORE [SAMPLE]` checks the database of DATABASE_URL and exits 1
with a last line that names what failed. It is a separate process because all code of the portal
uses the database of its settings.
"""

import os
import subprocess
import sys
from collections.abc import Callable

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from portal.errors import BackupError
from portal.supervisor.children import tie_to_parent

_FAILED = "failed: "

Say = Callable[[str], None]


def failures(url: str, store: str, sample: int | None, say: Say) -> list[str]:
    """Check the database at `url` against the store at the address `store`.

    Passes each line of output to `say`; returns what failed. `sample` is how many random blobs to
    read instead of all.
    """
    arguments = [store] if sample is None else [store, str(sample)]
    done = run_on(url, "-m", "portal.databases.checks", *arguments)
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    for line in lines:
        say(f"  {line}")
    if done.returncode == 0:
        return []
    last = lines[-1] if lines else ""
    return [last.removeprefix(_FAILED)] if last.startswith(_FAILED) else ["the checks"]


def run_on(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with `arguments` and with `url` as its DATABASE_URL."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=tie_to_parent(),
    )


def main(store: str, sample: str = "") -> int:
    """Migrate, then check trail and manifests, both even if one fails. Returns the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    django.setup()
    options = {"sample": int(sample)} if sample else {}
    try:
        apply_migrations(_print)
    except BackupError as error:
        _print(str(error))
        failed = ["its version"]
    else:
        failed = check_audit_trail(_print)
        if not _passes("verify_manifests", _print, blobs=store, **options):
            failed.append("the manifests")
    if failed:
        _print(_FAILED + ", ".join(failed))
    return 1 if failed else 0


def apply_migrations(say: Say) -> None:
    """Migrate the database of an older version. Raises BackupError for that of a newer one."""
    executor = MigrationExecutor(connection)
    if unknown := _unknown_migration(executor.loader):
        raise BackupError(
            f"the backup is of a newer version of the portal, which has {unknown}; install that"
            " version, then run the same command again"
        )
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)
        say("migrations: applied, the backup is of an older version")
    else:
        say("migrations: none to apply")


def _unknown_migration(loader: MigrationLoader) -> str:
    """An applied migration of our apps that this version does not contain; empty if none."""
    ours = set(loader.disk_migrations) | set(loader.replacements)
    ours |= {old for migration in loader.replacements.values() for old in migration.replaces}
    apps = {app for app, _ in loader.disk_migrations}
    unknown = [key for key in loader.applied_migrations if key not in ours and key[0] in apps]
    return ".".join(max(unknown)) if unknown else ""


def check_audit_trail(say: Say) -> list[str]:
    """Run `verify_audit`; returns `["the audit trail"]` if it failed."""
    return [] if _passes("verify_audit", say) else ["the audit trail"]


def _passes(command: str, say: Say, **options: object) -> bool:
    try:
        call_command(command, **options)
    except CommandError as error:
        say(f"{command}: {error}")
        return False
    return True


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
