"""`make demo`: five months of invented accounts, checkpoints, applications and downloads."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.core.management import call_command
from django.utils import timezone

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.services import create_account, new_password
from portal.demo_install import applications, cast, downloads, folder, story
from portal.demo_install.clock import travelling
from portal.supervisor import install_lock
from weights.publishing.demo import DEMOS, publish_demos

_STAFF = {
    **dict.fromkeys(cast.REVIEWERS, Role.REVIEWER),
    cast.LEAD: Role.LEAD_REVIEWER,
    cast.OWNER: Role.RELEASE_OWNER,
    cast.ADMINISTRATOR: Role.ADMINISTRATOR,
}
_GATED = DEMOS[1].tier


def run(data_dir: Path, say: Callable[[str], None]) -> None:
    """Fill a new install; do nothing if it is already filled. Raises DemoError for others."""
    if folder.is_filled(data_dir):
        say(f"{data_dir} is filled already; start it: make run DATA_DIR={data_dir}")
        return
    with install_lock.lock_install(data_dir):
        folder.mark_filling(data_dir)
        today = timezone.now().replace(hour=0, minute=0)
        password = fill(data_dir, today - timedelta(days=story.DAYS))
        folder.mark_filled(data_dir)
    say(f"{data_dir} is filled: people, applications and figures are invented.")
    say(f"staff: {', '.join(_STAFF)}")
    say(f"password of all: {password}")
    say("The password is shown only once and is not stored.")
    say(f"Start the portal: make run DATA_DIR={data_dir}")


def fill(data_dir: Path, start: datetime) -> str:
    """Play the story from `start`. Returns the password of the staff accounts."""
    password = new_password()
    with travelling(start) as clock:
        call_command("prepare_install")
        for name, role in _STAFF.items():
            create_account(name, f"{name}@portal.example", password=password, roles=[role])
        publish_demos(data_dir)
        tier = Tier.objects.get(slug=_GATED)
        events = [*applications.events(tier), *downloads.events()]
        story.play(events, start, clock)
    return password
