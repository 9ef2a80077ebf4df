"""Finds the records that command arguments name. Raises CommandError and InvalidValue."""

from django.core.management import CommandError

from accounts.tiers.models import Tier
from accounts.users import usernames
from accounts.users.models import User


def find_user(username: str) -> User:
    user = usernames.find_account(username)
    if user is None and "@" in username:
        raise CommandError(f"no account has confirmed the address {username!r}; use its username")
    if user is None:
        raise CommandError(f"no account {username!r}; create it with: manage.py create_account")
    return user


def find_tier(slug: str) -> Tier:
    tier = Tier.objects.select_related("licence").filter(slug=slug).first()
    if tier is None:
        slugs = (
            ", ".join(Tier.objects.filter(retired_at=None).values_list("slug", flat=True)) or "none"
        )
        raise CommandError(f"no tier {slug!r}; the tiers are: {slugs}")
    return tier
