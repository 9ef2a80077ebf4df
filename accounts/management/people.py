"""Find the records that commands name, or end the command with one clear line."""

from django.core.management import CommandError

from accounts.models import Tier, User


def find_user(username: str) -> User:
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        raise CommandError(f"no account {username!r}; make it with: manage.py create_account")
    return user


def find_tier(slug: str) -> Tier:
    tier = Tier.objects.select_related("licence").filter(slug=slug).first()
    if tier is None:
        known = ", ".join(Tier.objects.order_by("slug").values_list("slug", flat=True)) or "none"
        raise CommandError(f"no tier {slug!r}; the tiers are: {known}")
    return tier
