"""What an operator must do after a restore: what happened since the backup is gone.

Each line is one thing to do; docs/security.md#a-lost-database explains each.
"""

from accounts.mail.models import OutgoingMail
from portal.backup.restore import Restored


def lines(restored: Restored) -> list[str]:
    """In the order in which they are best done."""
    return [
        f"This is the portal of {restored.taken_at}. Before anybody is let in:",
        *(f"- {placed.remedy}." for placed in restored.keys if placed.remedy),
        *_without_keys(restored),
        "- Whoever was revoked, suspended or erased since has access again: take it from mails and"
        " logs, and repeat it first (manage.py revoke NAME TIER --reason …).",
        "- Tokens, links, passwords and sessions that were ended since are good again: end them."
        " Those that were made since are gone.",
        "- Revisions that were withdrawn and files that were quarantined since are given out again:"
        " withdraw and quarantine them.",
        "- Applications, decisions and grants since are gone: tell whom they concern.",
        *_mails(),
        "- Heads of the trail that were signed since cover rows that are lost: say so where they"
        " are read.",
        "Then start it, and publish again what was published since; stored bytes are not copied"
        " twice.",
    ]


def _without_keys(restored: Restored) -> list[str]:
    if restored.keys:
        return []
    return [
        "- The backup has no keys: put your own where the install looks for them before it starts,"
        " or new ones are made, and sessions and links end."
    ]


def _mails() -> list[str]:
    waiting = OutgoingMail.objects.filter(state=OutgoingMail.State.QUEUED).count()
    if not waiting:
        return []
    return [
        f"- {waiting} mails were waiting to leave and may have left since; they leave as soon as a"
        " worker runs: start without EMAIL_URL to look at them first (Admin, Outgoing mails)."
    ]
