"""The portal's commands: `weighbridge` of the wheel, manage.py of a clone."""

import errno
import gc
import os
import sys
from importlib import metadata
from typing import Any


def main() -> None:
    """Run the command in sys.argv; Ctrl-C ends it with one line and exit code 130."""
    try:
        _run()
    except KeyboardInterrupt:
        # A terminal has printed ^C on the current line.
        sys.stderr.write("\nstopped\n" if sys.stderr.isatty() else "stopped\n")
        sys.exit(130)


def _run() -> None:
    """Use the embedded install (`make run`) unless the environment names other settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    gc.disable()  # modules are never freed, and starting is a tenth faster
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.INSTALLED_APPS  # noqa: B018 - loads the settings, to report an error in one line
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    # A command needs one connection; if that fails, a pool waits and hides the cause.
    database: dict[str, Any] = settings.DATABASES["default"]
    database["OPTIONS"].pop("pool", None)
    from accounts.background.outages import DATABASE_ERRORS, ReadOnly, outage_message
    from portal.databases import readiness

    try:
        refusal = readiness.refusal(sys.argv[1] if len(sys.argv) > 1 else "help")
        gc.freeze()
        gc.enable()
        if refusal:
            sys.exit(refusal)
        execute_from_command_line(sys.argv)
    except ReadOnly as error:
        sys.exit(str(error))
    except DATABASE_ERRORS as error:
        sys.exit(f"{outage_message(error)}; run the same again once it does")
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        where = error.filename or "a disk"
        sys.exit(f"{where}: {error.strerror}; make room or mount it writable, then run it again")


def weighbridge() -> None:
    """The console script: the commands, and `--version` of the portal."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"weighbridge {metadata.version('weighbridge')}\n")
    else:
        main()


if __name__ == "__main__":
    main()
