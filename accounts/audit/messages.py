"""Mails about the audit trail, to outside addresses that store its signed heads."""

from accounts.audit.models import CompromisedAuditKey, SignedHead
from accounts.mail import outbox


def audit_head(head: SignedHead, address: str) -> None:
    """Send a signed head."""
    outbox.send("audit_head", to=address, key=f"{head.pk}:{address}", context={"head": head})


def audit_key_compromised(mark: CompromisedAuditKey, vkey: str, address: str) -> None:
    """Announce a compromised key; sent again if `since` moves to an earlier time."""
    key = f"{mark.pk}:{mark.since:%y%m%d%H%M%S}:{address}"
    context = {"mark": mark, "vkey": vkey}
    outbox.send("audit_key_compromised", to=address, key=key, context=context)


def trail_altered(fault: str, key: str, address: str) -> None:
    """Report that the daily check of the trail failed."""
    outbox.send("trail_altered", to=address, key=f"{key}:{address}", context={"fault": fault})
