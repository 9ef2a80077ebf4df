"""`python -m portal.backup.checks STORE [SAMPLE]`: is the install of DATABASE_URL whole?

A process of its own, because all of the portal asks the database of its settings. It runs
the commands that an operator would run after a real loss, and exits 1 with a last line that
names what failed.
"""

import os
import sys

import django
from django.core.management import CommandError, call_command

FAILED = "failed: "


def main(store: str, sample: str = "") -> int:
    """Migrations, then trail and manifests, whatever the one before has said."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    django.setup()
    bring_up()
    some = {"sample": int(sample)} if sample else {}
    failed = []
    if not _passes("verify_audit"):
        failed.append("the audit trail")
    if not _passes("verify_manifests", blobs=store, **some):
        failed.append("the manifests")
    if failed:
        _say(FAILED + ", ".join(failed))
    return 1 if failed else 0


def bring_up() -> None:
    """Apply what an older version of the portal, whose backup it is, did not know yet."""
    try:
        call_command("migrate", check_unapplied=True, verbosity=0)
    except SystemExit:
        call_command("migrate", interactive=False, verbosity=0)
        _say("migrations: applied, the backup is of an older version")
    else:
        _say("migrations: none to apply")


def _passes(command: str, **options: object) -> bool:
    try:
        call_command(command, **options)
    except CommandError as error:
        _say(f"{command}: {error}")
        return False
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
