"""New licence texts: tell the holders of older ones, and remind them before the notice ends."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Cast, Concat

from accounts import emails
from accounts.models import Grant, LicenceVersion, OutgoingMail
from accounts.models.grant import GrantQuerySet
from accounts.sweeps.one_by_one import one_by_one

#: How long before the notice ends its reminder leaves.
REMINDER = timedelta(days=7)


def announce(now: datetime) -> int:
    """Once a text is in force; of several that came at once the newest alone is told."""
    new = LicenceVersion.objects.filter(announced_at=None, effective_at__lte=now)
    return sum(
        _tell(version, "licence_changed", "announced_at", emails.licence_changed, now)
        for version in new.select_related("licence")
    )


def remind(now: datetime) -> int:
    """A week before the notice ends, where the notice is longer than that."""
    told = LicenceVersion.objects.filter(reminded_at=None).exclude(announced_at=None)
    due = [
        version
        for version in told.select_related("licence")
        if timedelta(days=version.notice_days) > REMINDER
        and version.notice_ends - REMINDER <= now < version.notice_ends
    ]
    return sum(
        _tell(version, "licence_reminder", "reminded_at", emails.licence_reminder, now)
        for version in due
    )


def _tell(
    version: LicenceVersion,
    kind: str,
    done: str,
    mail: Callable[[Grant, LicenceVersion], bool],
    now: datetime,
) -> int:
    """Mail everyone who has not accepted it; note that it is done once nobody is left."""
    acted = 0
    if version.licence.in_force_by(now).first() == version:
        rest = _not_mailed(version, kind, now)
        acted = one_by_one(rest, lambda grant: mail(grant, version))
        if rest.exists():  # one failed, or is another worker's
            return acted
    LicenceVersion.objects.filter(pk=version.pk).update(**{done: now})
    return acted


def _not_mailed(version: LicenceVersion, kind: str, now: datetime) -> GrantQuerySet:
    key = Concat(
        models.Value(emails.licence_key(kind, version)), Cast("pk", models.CharField(max_length=20))
    )
    mailed = OutgoingMail.objects.filter(unique_key=models.OuterRef("mail_key"))
    holders = Grant.objects.unended().filter(
        expires_at__gt=now,
        tier__licence=version.licence_id,
        licence_version__effective_at__lt=version.effective_at,
    )
    rest = holders.annotate(mail_key=key).exclude(models.Exists(mailed))
    return rest.select_related("user", "tier__licence", "licence_version")
