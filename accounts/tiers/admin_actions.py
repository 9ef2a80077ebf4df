"""Admin actions on tiers: retire, and put back into use. Each requires confirmation."""

from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin_pages import confirmation
from accounts.admin_pages.record_actions import RecordAction
from accounts.applications.models import Application
from accounts.grants.models import Grant
from accounts.release_interface import releases
from accounts.tiers import retirement
from accounts.tiers.models import Tier
from accounts.users.models import User

_READERS = "Shown in the public history of the tier"


class RetireForm(RecordAction):
    run = staticmethod(retirement.retire)
    name, title, button, done = "retire", "Retire tiers", "Retire", "retired"
    warning = (
        "A retired tier takes no new checkpoints, applications or grants. Its checkpoints stay "
        "where they are, and people who have access keep it until their grant ends. No gate opens."
    )

    reason = confirmation.text(_READERS)

    def reach(self, record: Tier, reader: User) -> list[str | SafeString]:
        waiting = Application.objects.open().filter(tier=record).count()
        holders = Grant.objects.live(timezone.now()).filter(tier=record).count()
        return [
            f"Checkpoints that stay: {len(releases().checkpoints_of(record))}",
            f"People who keep their access: {holders}",
            f"Open applications: {waiting}. Reviewers can reject them, but not approve them",
        ]


class UnretireForm(RecordAction):
    run = staticmethod(retirement.unretire)
    name, title, button, done = "unretire", "Put tiers back into use", "Put back", "back in use"
    warning = "The tier takes checkpoints, applications and grants again, on its present terms."

    reason = confirmation.text(_READERS)
