"""One function per message about an application or a grant; each text is a template."""

from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings

from accounts import outbox
from accounts.reasons import waiting_days
from accounts.roles import DECIDERS, GRANT_KEEPERS, Role

if TYPE_CHECKING:
    from accounts.models import Consultation, Decision, Grant, Remark, Tier, User
    from accounts.models.application.record import ApplicationRecord


def _address(user: "User", application: "ApplicationRecord | None" = None) -> str:
    """The address given in the application, else the account's own."""
    snapshot = application.latest_snapshot if application else None
    return (snapshot.answers.get("work_email") if snapshot else "") or user.email


def application_received(application: "ApplicationRecord") -> None:
    _about(application, "application_received", f"{application.pk}:{application.snapshots.count()}")


def application_withdrawn(application: "ApplicationRecord") -> None:
    _about(application, "application_withdrawn", str(application.pk))


def application_approved(application: "ApplicationRecord", grant: "Grant", note: str) -> None:
    _about(application, "application_approved", str(application.pk), grant=grant, note=note)


def application_rejected(application: "ApplicationRecord", decision: "Decision") -> None:
    key = f"{application.pk}:{decision.pk}"
    _about(application, "application_rejected", key, decision=decision, **_reasons(decision))


def application_returned(application: "ApplicationRecord", decision: "Decision") -> None:
    key = f"{application.pk}:{decision.pk}"
    labels = application.form.labels()
    _about(
        application,
        "application_returned",
        key,
        decision=decision,
        remarks=[(labels.get(one.field, ""), one.text) for one in decision.remarks.all()],
        silence_days=settings.RETURN_SILENCE_DAYS,
        **_reasons(decision),
    )


def application_lapsed(application: "ApplicationRecord", *, was_draft: bool) -> None:
    _about(application, "application_lapsed", str(application.pk), was_draft=was_draft)


def remark_made(application: "ApplicationRecord", remark: "Remark") -> None:
    """Tell the applicant what a reviewer said outside a decision."""
    label = application.form.labels().get(remark.field, "")
    _about(application, "remark_made", str(remark.pk), remark=remark, label=label)


def application_reopened(application: "ApplicationRecord", ended: "Grant | None") -> None:
    """Tell the applicant that staff look again; `ended` is the access that this took."""
    _about(application, "application_reopened", str(application.pk), grant=ended)


# -- to staff ---------------------------------------------------------------------------


def application_assigned(application: "ApplicationRecord", to: "User", by: "User") -> None:
    key = f"{application.pk}:{to.pk}:{application.claimed_at}"
    _to_staff(application, to, "application_assigned", key, by=by)


def claim_ended(application: "ApplicationRecord", claimer: "User") -> None:
    """Tell a reviewer that what they left idle is back in the queue."""
    key = f"{application.pk}:{claimer.pk}:{application.answers_version}"
    _to_staff(application, claimer, "claim_ended", key)


def colleague_asked(application: "ApplicationRecord", asked: "Consultation") -> None:
    _to_staff(application, asked.colleague, "colleague_asked", str(asked.pk), asked=asked)


def second_approval_wanted(application: "ApplicationRecord", first: "Decision") -> None:
    """Tell every other reviewer of the tier that one more approval decides."""
    for person in reviewers_of(application.tier, DECIDERS):
        if person.pk not in {first.reviewer_id, application.applicant_id}:
            key = f"{first.pk}:{person.pk}"
            _to_staff(application, person, "second_approval_wanted", key, first=first)


def reviewers_of(tier: "Tier", roles: frozenset[Role] = GRANT_KEEPERS) -> list["User"]:
    """The people who hold one of these roles for the tier, by their account's age."""
    held = apps.get_model("accounts", "RoleAssignment").objects.filter(role__in=roles)
    people = apps.get_model("accounts", "User").objects.filter(is_active=True, is_staff=True)
    mine = held.filter(tier=None) | held.filter(tier=tier)
    return list(people.filter(pk__in=mine.values("user")).order_by("pk"))


def _to_staff(
    application: "ApplicationRecord", person: "User", kind: str, key: str, **context: object
) -> None:
    outbox.send(
        kind,
        to=person.email,
        key=key,
        recipient=person,
        about=application,
        context={
            "application": application,
            "tier": application.tier,
            "review_path": f"/{settings.ADMIN_PATH}accounts/application/{application.pk}/change/",
            **context,
        },
    )


# -- about a grant ----------------------------------------------------------------------


def access_given(grant: "Grant") -> None:
    """Break-glass: tell the holder what staff gave them."""
    _to_holder(grant, "access_given")


def access_revoked(grant: "Grant") -> None:
    _to_holder(grant, "access_revoked")


def _reasons(decision: "Decision") -> dict[str, object]:
    words = apps.get_model("accounts", "ReasonText").objects.current()
    return {
        "reasons": [words[code] for code in decision.reasons],
        "waiting_days": waiting_days(decision.reasons),
    }


def _about(application: "ApplicationRecord", kind: str, key: str, **context: object) -> None:
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
