"""One function per message about an application or a grant; each text is a template."""

from typing import TYPE_CHECKING

from accounts import outbox
from accounts.reasons import RULES, Reason

if TYPE_CHECKING:
    from accounts.models import Application, Decision, Grant, User


def _address(user: "User", application: "Application | None" = None) -> str:
    """The address given in the application, else the account's own."""
    snapshot = application.latest_snapshot if application else None
    return (snapshot.answers.get("work_email") if snapshot else "") or user.email


def application_received(application: "Application") -> None:
    _about(application, "application_received", f"{application.pk}:{application.snapshots.count()}")


def application_withdrawn(application: "Application") -> None:
    _about(application, "application_withdrawn", str(application.pk))


def application_approved(application: "Application", grant: "Grant") -> None:
    _about(application, "application_approved", str(application.pk), grant=grant)


def application_rejected(application: "Application", decision: "Decision") -> None:
    key = f"{application.pk}:{decision.pk}"
    _about(application, "application_rejected", key, decision=decision, **_reasons(decision))


def application_returned(application: "Application", decision: "Decision") -> None:
    key = f"{application.pk}:{decision.pk}"
    _about(application, "application_returned", key, decision=decision, **_reasons(decision))


def application_reopened(application: "Application", ended: "Grant | None") -> None:
    """Tell the applicant that staff look again; `ended` is the access that this took."""
    _about(application, "application_reopened", str(application.pk), grant=ended)


def access_given(grant: "Grant") -> None:
    """Break-glass: tell the holder what staff gave them."""
    _to_holder(grant, "access_given")


def access_revoked(grant: "Grant") -> None:
    _to_holder(grant, "access_revoked")


def _reasons(decision: "Decision") -> dict[str, object]:
    chosen = [(Reason(code).label, RULES[code]) for code in decision.reasons]
    return {
        "reasons": [(label, rule.remedy) for label, rule in chosen],
        "waiting_days": max((rule.waiting_days for _, rule in chosen), default=0),
    }


def _about(application: "Application", kind: str, key: str, **context: object) -> None:
    outbox.send(
        kind,
        to=_address(application.applicant, application),
        key=key,
        recipient=application.applicant,
        about=application,
        context={"application": application, "tier": application.tier, **context},
    )


def _to_holder(grant: "Grant", kind: str) -> None:
    outbox.send(
        kind,
        to=grant.user.email,
        key=str(grant.pk),
        recipient=grant.user,
        about=grant,
        context={"grant": grant, "tier": grant.tier},
    )
