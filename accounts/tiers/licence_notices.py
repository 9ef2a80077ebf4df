"""Notices of new licence texts: an announcement to holders, and a reminder before the deadline."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Cast, Concat

from accounts.background.periodic import each, each_locked
from accounts.grants import messages
from accounts.grants.models import Grant, GrantQuerySet
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import LicenceVersion

#: The reminder is sent this long before the notice period ends.
REMINDER = timedelta(days=7)


def announce(now: datetime) -> int:
    """Announce texts that came into force, only the newest of each licence.

    Returns the number of mails.
    """
    new = LicenceVersion.objects.filter(announced_at=None, effective_at__lte=now)

    def act(version: LicenceVersion) -> int:
        mailed, is_done = _mail_holders(version, "licence_changed", now)
        if is_done:
            LicenceVersion.objects.filter(pk=version.pk).update(announced_at=now)
        return mailed

    return each("new licences told", new.select_related("licence"), act)


def remind(now: datetime) -> int:
    """Remind holders a week before the notice period ends, if it is longer than a week.

    A tier that adopted the licence later has a later deadline. Returns the number of mails.
    """
    announced = LicenceVersion.objects.filter(reminded_at=None).exclude(announced_at=None)
    in_tiers = announced.filter(notice_days__gt=REMINDER.days).annotate(
        of_tier=models.F("licence__tiers"), since=models.F("licence__tiers__licence_since")
    )
    total = 0
    waiting: set[int] = set()
    done: set[int] = set()
    for version in in_tiers.select_related("licence"):
        ends = version.notice_ends_since(version.since)
        if now < ends - REMINDER:
            waiting.add(version.pk)
        elif now < ends:
            mailed, is_done = _mail_holders(version, "licence_reminder", now, version.of_tier)
            total += mailed
            (done if is_done else waiting).add(version.pk)
    if done - waiting:
        LicenceVersion.objects.filter(pk__in=done - waiting).update(reminded_at=now)
    return total


def _mail_holders(
    version: LicenceVersion, kind: str, now: datetime, tier_id: int | None = None
) -> tuple[int, bool]:
    """Mail each holder who has not accepted `version`.

    Returns the number of mails, and whether every such holder has been mailed.
    """
    if version.licence.in_force_by(now).first() != version:
        return 0, True
    rest = _not_mailed(version, kind, now)
    if tier_id is not None:
        rest = rest.filter(tier=tier_id)
    mailed = each_locked(kind, rest, lambda grant: messages.licence_notice(grant, kind, version))
    return mailed, not rest.exists()  # rows remain if one failed or another worker locked it


def _not_mailed(version: LicenceVersion, kind: str, now: datetime) -> GrantQuerySet:
    key = Concat(
        models.Value(messages.licence_key(kind, version)),
        Cast("pk", models.CharField(max_length=20)),
    )
    mailed = OutgoingMail.objects.filter(unique_key=models.OuterRef("mail_key"))
    other_licence = ~models.Q(licence_version__licence=version.licence_id)
    older_text = models.Q(licence_version__effective_at__lt=version.effective_at)
    holders = Grant.objects.unended().filter(
        other_licence | older_text, expires_at__gt=now, tier__licence=version.licence_id
    )
    rest = holders.annotate(mail_key=key).exclude(models.Exists(mailed))
    return rest.select_related("user", "tier__licence", "licence_version__licence")
