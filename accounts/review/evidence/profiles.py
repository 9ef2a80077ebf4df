"""Opens the profile pages of applicants in a child process."""

import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import models

from accounts.applications.models import ApplicationSnapshot
from accounts.applications.transition_table import WAITING_STATES
from accounts.background.periodic import each, ready
from accounts.review.models import ProfileLook

_CHILD = Path(__file__).with_name("profile_child.py")
#: Seconds per page, and pages per sweep, chosen so that a sweep ends before the next begins.
_TIMEOUT, _BATCH_SIZE = 20, 5
_OUTPUT = re.compile(r"(answers|gone|refuses|silent|inside)(?: ([0-9]{3}))?", re.ASCII)


def sweep(now: datetime) -> int:
    """Open the due pages of applications under review. Returns the number of pages."""
    if not settings.LOOK_AT_PROFILES:
        return 0
    snapshots = ready("profiles", due(now))[:_BATCH_SIZE]
    return each("profiles", snapshots, lambda snapshot: _check(snapshot, now))


def due(now: datetime) -> "models.QuerySet[ApplicationSnapshot]":
    """Return latest snapshots whose profile page was never opened, or is due for a retry."""
    newer = ApplicationSnapshot.objects.filter(
        application=models.OuterRef("application"), number__gt=models.OuterRef("number")
    )
    return (
        ApplicationSnapshot.objects.filter(
            ProfileLook.due(now, "profile_look__"),
            ~models.Exists(newer),
            application__status__in=WAITING_STATES,
            answers__has_key="profile_url",
        )
        .exclude(answers__profile_url="")
        .order_by("pk")
    )


def _check(snapshot: ApplicationSnapshot, now: datetime) -> bool:
    look = ProfileLook.objects.claim(snapshot.pk, now)
    if look is None:  # another worker is opening it
        return False
    outcome, status = _open(str(snapshot.answers["profile_url"]))
    ProfileLook.objects.filter(pk=look.pk).update(outcome=outcome, status=status)
    return True


def _open(address: str) -> tuple[str, int | None]:
    try:
        process = subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=address.encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env={},
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return ProfileLook.Outcome.SILENT, None
    match = _OUTPUT.fullmatch(process.stdout.decode("ascii", "replace"))
    if match is None:
        return ProfileLook.Outcome.SILENT, None
    return match[1], int(match[2]) if match[2] else None
