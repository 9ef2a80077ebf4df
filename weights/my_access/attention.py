"""Items that need a person's attention: recalls, returned applications, licences, expiries."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.grants.models import Grant
from accounts.templatetags.wording import day
from accounts.tiers.models import LicenceVersion
from accounts.users.models import User
from weights.recalls import affected, notices

#: How long before its end a grant or token is listed.
SOON = timedelta(days=14)
#: How long a repaired recall stays listed, since the bad copy may still be in use.
_AFTER_REPAIR = timedelta(days=30)
#: Seconds for which the number beside "My access" is cached.
_COUNT_LIFE = 60


@dataclass(frozen=True)
class Item:
    """One thing to do; `by` is the deadline, if there is one."""

    sentence: str
    url: str
    action: str
    by: datetime | None = None


def items_for(user: User) -> list[Item]:
    """Return the items of a person, the most urgent kind first."""
    now = timezone.now()
    grants = list(
        Grant.objects.live(now)
        .filter(user=user)
        .select_related("tier__licence", "licence_version__licence")
        .order_by("expires_at")
    )
    return [
        *_recalls(user, now),
        *_returned(user),
        *_licences(grants, now),
        *_ending_grants(grants, now),
        *_ending_tokens(user, now),
    ]


def count_for(user: User) -> int:
    """Return the number of items, at most a minute old: every page shows it."""
    count = cache.get_or_set(f"attention:{user.pk}", lambda: len(items_for(user)), _COUNT_LIFE)
    return int(count or 0)


def with_newer_text(
    grants: list[Grant], now: datetime
) -> list[tuple[Grant, LicenceVersion | None, datetime | None]]:
    """Each grant, with the newer licence text to accept, if any, and when the old one ends."""
    licences = {grant.tier.licence_id for grant in grants}
    came = LicenceVersion.objects.filter(licence__in=licences, effective_at__lte=now)
    texts: dict[int | None, list[LicenceVersion]] = {pk: [] for pk in licences}
    for text in came.order_by("effective_at"):
        texts[text.licence_id].append(text)
    return [
        (grant, _to_accept(grant, of_tier), grant.acceptance_ends(grant.tier, of_tier))
        for grant in grants
        for of_tier in [texts[grant.tier.licence_id]]
    ]


def _to_accept(grant: Grant, texts: list[LicenceVersion]) -> LicenceVersion | None:
    newest = texts[-1] if texts else None
    return newest if newest is not None and newest.pk != grant.licence_version_id else None


def _recalls(user: User, now: datetime) -> Iterator[Item]:
    recalls = affected.recalls_of(user, repaired_after=now - _AFTER_REPAIR)
    for notice in notices.notices_for(recalls, user):
        if notice.title:  # empty if the person may no longer see any of its places
            text = f"{notice.title}, which you downloaded, was recalled."
            yield Item(text, notice.recall.get_absolute_url(), "See why, and what to do")


def _returned(user: User) -> Iterator[Item]:
    returned = Application.objects.filter(applicant=user, status=Status.RETURNED)
    for application in returned.select_related("tier").order_by("returned_at"):
        ends = application.last_heard_at + timedelta(days=settings.RETURN_SILENCE_DAYS)
        url = reverse("accounts:application-detail", args=[application.public_id])
        text = f"Your application for {application.tier} was returned with questions."
        yield Item(text, url, "Answer them", ends)


def _licences(grants: list[Grant], now: datetime) -> Iterator[Item]:
    for grant, newer, ends in with_newer_text(grants, now):
        if newer is None:
            continue
        url = reverse("accounts:application-create", args=[grant.tier.slug])
        ended = ends is not None and ends <= now
        effect = "Your access is suspended until you accept it." if ended else ""
        text = f"Version {newer.version} of the licence of {grant.tier} is in force. {effect}"
        yield Item(text.strip(), url, "Read and accept it", None if ended else ends)


def _ending_grants(grants: list[Grant], now: datetime) -> Iterator[Item]:
    for grant in grants:
        if grant.expires_at <= now + SOON:
            url = reverse("accounts:tier-detail", args=[grant.tier.slug])
            ends = day(grant.expires_at)
            text = f"Your access to {grant.tier} ends on {ends}. You can apply again after that."
            yield Item(text, url, "Read the conditions")


def _ending_tokens(user: User, now: datetime) -> Iterator[Item]:
    tokens = ApiToken.objects.active().filter(user=user, expires_at__lte=now + SOON)
    for token in tokens.order_by("expires_at"):
        text = f"Your token {token.name} ends on {day(token.expires_at)}."
        yield Item(text, reverse("accounts:token-list"), "Create a new token")
