"""Looks at the pages that applicants name as their profiles, once each, from a child process."""

import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import models

from accounts.applications.models import ApplicationSnapshot
from accounts.applications.state_machine import WAITING_STATES
from accounts.background.periodic import each, ready
from accounts.review.models import ProfileLook

_CHILD = Path(__file__).with_name("profile_child.py")
#: Seconds for one page, and pages in one sweep: a sweep ends before the next begins.
_TIME, _MOST = 20, 5
_SAID = re.compile(r"(answers|gone|refuses|silent|inside)(?: ([0-9]{3}))?", re.ASCII)


def sweep(now: datetime) -> int:
    """Look at what is due of applications that wait for staff; at how many pages it looked."""
    if not settings.LOOK_AT_PROFILES:
        return 0
    snapshots = ready("profiles", due(now))[:_MOST]
    return each("profiles", snapshots, lambda snapshot: _settle(snapshot, now))


def due(now: datetime) -> "models.QuerySet[ApplicationSnapshot]":
    """Snapshots with a profile that nobody has looked at, or that was silent a while ago."""
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


def _settle(snapshot: ApplicationSnapshot, now: datetime) -> bool:
    look = ProfileLook.objects.claim(snapshot.pk, now)
    if look is None:  # another worker looks
        return False
    word, status = _seen(str(snapshot.answers["profile_url"]))
    ProfileLook.objects.filter(pk=look.pk).update(outcome=word, status=status)
    return True


def _seen(address: str) -> tuple[str, int | None]:
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=address.encode(),
            capture_output=True,
            timeout=_TIME,
            check=False,
            env={},
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return ProfileLook.Outcome.SILENT, None
    said = _SAID.fullmatch(done.stdout.decode("ascii", "replace"))
    if said is None:
        return ProfileLook.Outcome.SILENT, None
    return said[1], int(said[2]) if said[2] else None
