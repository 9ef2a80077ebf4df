"""Every pair of state and action, tried by every role: only listed transitions succeed.

The table is repeated here on purpose, from the specification and not from the code.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Model

from accounts.applications import inactivity
from accounts.applications.models import Application
from accounts.applications.transition_table import OPEN_STATES, TRANSITIONS, Status
from accounts.applications.workflow import (
    appeals,
    claims,
    conflicts,
    conversation,
    decisions,
    submission,
)
from accounts.audit.models import AuditEvent
from accounts.errors import AccountsError
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.review.models import Decision
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

REMARKS = {"abstract": "Name the method."}
NOTE = "The plan does not say who can read the weights, nor when they are deleted."

S = Status
EVERYONE = [
    "applicant",
    "stranger",
    "reviewer",
    "claimer",
    "lead",
    "elsewhere",
    "owner",
    "auditor",
    "administrator",
    "superuser",
    "system",
]
#: Those with a reviewer's role for the tier, who may claim an unclaimed application.
REVIEWERS = {"reviewer", "claimer", "lead"}

#: (state, action) -> (who may, the new state). Everything else is refused.
ALLOWED: dict[tuple[Status, str], tuple[set[str], Status]] = {
    (S.DRAFT, "submit"): ({"applicant"}, S.SUBMITTED),
    (S.SUBMITTED, "claim"): (REVIEWERS, S.IN_REVIEW),
    (S.IN_REVIEW, "release"): ({"claimer"}, S.SUBMITTED),
    (S.IN_REVIEW, "release_idle"): ({"system"}, S.SUBMITTED),
    (S.SUBMITTED, "withdraw"): ({"applicant"}, S.WITHDRAWN),
    (S.IN_REVIEW, "withdraw"): ({"applicant"}, S.WITHDRAWN),
    (S.IN_REVIEW, "return"): ({"claimer"}, S.RETURNED),
    (S.RETURNED, "submit"): ({"applicant"}, S.SUBMITTED),
    (S.RETURNED, "lapse"): ({"system"}, S.LAPSED),
    (S.DRAFT, "lapse"): ({"system"}, S.LAPSED),
    (S.IN_REVIEW, "approve"): ({"claimer"}, S.APPROVED),
    (S.IN_REVIEW, "reject"): ({"claimer"}, S.REJECTED),
    (S.SUBMITTED, "assign"): ({"lead"}, S.IN_REVIEW),
    (S.IN_REVIEW, "assign"): ({"lead"}, S.IN_REVIEW),
    # A reviewer who decides straight from the queue makes two moves at once: claim, decide.
    (S.SUBMITTED, "approve"): (REVIEWERS, S.APPROVED),
    (S.SUBMITTED, "reject"): (REVIEWERS, S.REJECTED),
    (S.SUBMITTED, "return"): (REVIEWERS, S.RETURNED),
    # These leave the application as it is and begin another one.
    (S.APPROVED, "reopen"): ({"lead"}, S.APPROVED),
    (S.REJECTED, "reopen"): ({"lead"}, S.REJECTED),
    (S.WITHDRAWN, "reopen"): ({"lead"}, S.WITHDRAWN),
    (S.REJECTED, "appeal"): ({"applicant"}, S.REJECTED),
    (S.REJECTED, "copy"): ({"applicant"}, S.REJECTED),
    (S.WITHDRAWN, "copy"): ({"applicant"}, S.WITHDRAWN),
    (S.LAPSED, "copy"): ({"applicant"}, S.LAPSED),
}
BY_NOBODYS_HAND = {"release_idle", "lapse"}


@dataclass
class Cast:
    """The users of the test, by their role for the application."""

    people: dict[str, User]

    def __getitem__(self, name: str) -> User:
        return self.people[name]


@pytest.fixture
def cast(applicant: User, gated_tier: Tier) -> Cast:
    staff = factories.staff
    return Cast(
        {
            "applicant": applicant,
            "stranger": factories.person(),
            "reviewer": staff("r1", Role.REVIEWER, gated_tier),
            "claimer": staff("r2", Role.REVIEWER, gated_tier),
            "lead": staff("r3", Role.LEAD_REVIEWER, gated_tier),
            "elsewhere": staff("r4", Role.LEAD_REVIEWER, factories.tier("elsewhere")),
            "owner": staff("r5", Role.RELEASE_OWNER),
            "auditor": staff("r6", Role.AUDITOR),
            "administrator": staff("r7", Role.ADMINISTRATOR),
            "superuser": User.objects.create_superuser("r8", "r8@example.org", "x"),
        }
    )


def led_to(status: Status, cast: Cast, tier: Tier) -> Application:
    """Return an application in this state; one in review is claimed by the claimer."""
    if status in {S.DRAFT, S.LAPSED}:
        application = submission.start(cast["applicant"], tier)
        if status == S.LAPSED:
            inactivity.lapse(application)
        return application
    application = factories.submitted(cast["applicant"], tier)
    by = cast["claimer"]
    lead: dict[Status, Callable[[], object]] = {
        S.SUBMITTED: lambda: None,
        S.IN_REVIEW: lambda: claims.claim(application, by=by),
        S.RETURNED: lambda: decisions.return_for_changes(
            application, by=by, reasons=["incomplete"], remarks=REMARKS
        ),
        S.APPROVED: lambda: decisions.approve(application, by=by, confirmed=True),
        # `incomplete` cannot reject; this reason asks for no days of waiting.
        S.REJECTED: lambda: decisions.reject(
            application, by=by, reasons=["purpose_unclear"], note=NOTE
        ),
        S.WITHDRAWN: lambda: submission.withdraw(application, by=cast["applicant"]),
    }
    lead[status]()
    return application


def attempt(action: str, application: Application, by: User, cast: Cast) -> object:
    acts: dict[str, Callable[[], object]] = {
        "submit": lambda: submission.submit(
            application, by=by, licence_sha256=factories.in_force(application.tier).text_sha256
        ),
        "claim": lambda: claims.claim(application, by=by),
        "assign": lambda: claims.assign(application, cast["reviewer"], by=by),
        "release": lambda: claims.release(application, by=by),
        "release_idle": lambda: claims.release_idle(application),
        "withdraw": lambda: submission.withdraw(application, by=by),
        "return": lambda: decisions.return_for_changes(
            application, by=by, reasons=["incomplete"], remarks=REMARKS
        ),
        "lapse": lambda: inactivity.lapse(application),
        "approve": lambda: decisions.approve(application, by=by, confirmed=True),
        "reject": lambda: decisions.reject(application, by=by, reasons=["spam"], note=NOTE),
        "reopen": lambda: decisions.reopen(application.applicant, application.tier, by=by),
        "appeal": lambda: appeals.appeal(application, "It is research. " * 10, by=by),
        "copy": lambda: submission.copy_as_new(application, by=by),
    }
    return acts[action]()


def _number_of(model: type[Model]) -> str:
    return f"(SELECT count(*) FROM {model._meta.db_table})"  # noqa: S608


#: One statement, since the table asks for the facts a thousand times.
_FACTS = f"""
    SELECT status, claimed_by_id, {_number_of(Application)}, {_number_of(Decision)},
        {_number_of(Grant)}, {_number_of(OutgoingMail)},
        (SELECT count(*) FROM {AuditEvent._meta.db_table} WHERE result = 'ok')
    FROM {Application._meta.db_table} WHERE id = %s
"""  # noqa: S608

ACTIONS = [
    "submit",
    "claim",
    "assign",
    "release",
    "release_idle",
    "withdraw",
    "return",
    "lapse",
    "approve",
    "reject",
    "reopen",
    "appeal",
    "copy",
]


@pytest.mark.slow
@pytest.mark.parametrize("status", list(Status))
def test_each_action_is_open_to_those_of_the_table_and_to_nobody_else(
    status: Status, cast: Cast, gated_tier: Tier
) -> None:
    application = led_to(status, cast, gated_tier)
    before = _facts(application)
    for who in EVERYONE:
        for action in ACTIONS:
            if (action in BY_NOBODYS_HAND) == (who == "system"):  # a person has no other route
                with transaction.atomic():
                    assert_one_try(
                        action, Application.objects.get(pk=application.pk), who, cast, before
                    )
                    transaction.set_rollback(True)


def assert_one_try(
    action: str, application: Application, who: str, cast: Cast, before: tuple[object, ...]
) -> None:
    tried = (application.status, action, who)
    allowed, reaches = ALLOWED.get((Status(application.status), action), (set(), None))
    by = cast[who] if who != "system" else cast["stranger"]
    try:
        attempt(action, application, by, cast)
    except AccountsError:
        assert who not in allowed, tried
        assert _facts(application) == before, tried
    else:
        assert who in allowed, tried
        assert Application.objects.get(pk=application.pk).status == reaches, tried
        assert _facts(application) != before, tried  # at least its event exists


def _facts(application: Application) -> tuple[object, ...]:
    """Return everything that a refused action must not change; its audit event does not count."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [application.pk])
        facts: tuple[object, ...] = cursor.fetchone()
        return facts


def test_every_transition_of_the_table_has_a_test() -> None:
    # test_undo_window.py tries `decide` and `undo`.
    tried = {*ACTIONS, "start", "resubmit", "approve_first", "decide", "undo"}
    assert set(TRANSITIONS) == tried - {"release_idle"}


def test_a_refused_transition_is_audited_with_its_code(cast: Cast, gated_tier: Tier) -> None:
    application = led_to(S.APPROVED, cast, gated_tier)
    with pytest.raises(AccountsError):
        submission.withdraw(application, by=cast["applicant"])
    row = AuditEvent.objects.about(application).latest("pk")
    assert (row.action, row.result) == ("application.withdraw", "bad_transition")
    assert row.actor_name == cast["applicant"].username


# -- two approvals ----------------------------------------------------------------------


@pytest.fixture
def strict_tier(gated_tier: Tier) -> Tier:
    gated_tier.approvals_needed = 2
    gated_tier.save()
    return gated_tier


@pytest.fixture
def once_approved(cast: Cast, strict_tier: Tier) -> Application:
    application = factories.submitted(cast["applicant"], strict_tier)
    assert decisions.approve(application, by=cast["claimer"], confirmed=True) is None
    return application


def test_a_first_approval_of_two_gives_nothing_yet(once_approved: Application, cast: Cast) -> None:
    once_approved.refresh_from_db()
    assert once_approved.status == S.IN_REVIEW
    assert not Grant.objects.exists()
    asked = OutgoingMail.objects.filter(kind="second_approval_wanted")
    assert set(asked.values_list("recipient__username", flat=True)) == {"r1", "r3"}


def test_the_second_approval_is_another_persons(once_approved: Application, cast: Cast) -> None:
    for who in ("claimer", "applicant", "stranger", "elsewhere", "owner", "auditor", "superuser"):
        with pytest.raises(AccountsError):
            decisions.approve(once_approved, by=cast[who], confirmed=True)
    assert not Grant.objects.exists()
    grant = factories.approved(once_approved, cast["reviewer"])
    assert grant.is_live
    verdicts = once_approved.decisions.values_list("verdict", "reviewer__username")
    assert list(verdicts) == [("approve", "r2"), ("approve", "r1")]


@pytest.mark.parametrize("who", ["claimer", "reviewer", "lead"])
def test_after_a_first_approval_the_claimer_and_the_others_may_still_reject(
    who: str, once_approved: Application, cast: Cast
) -> None:
    decisions.reject(once_approved, by=cast[who], reasons=["commercial_use"], note=NOTE)
    assert once_approved.status == S.REJECTED
    assert not Grant.objects.exists()


@pytest.mark.parametrize("move", ["release", "return"])
def test_a_first_approval_ends_with_the_claim_it_was_made_under(
    move: str, once_approved: Application, cast: Cast
) -> None:
    attempt(move, once_approved, cast["claimer"], cast)
    once_approved.refresh_from_db()
    assert once_approved.first_approval is None
    if move == "return":
        attempt("submit", once_approved, cast["applicant"], cast)
    assert (
        decisions.approve(once_approved, by=cast["reviewer"], confirmed=True) is None
    )  # again the first of two


def test_the_second_approver_may_shorten_the_term(once_approved: Application, cast: Cast) -> None:
    first = once_approved.first_approval
    assert first is not None
    grant = factories.approved(once_approved, cast["lead"])
    assert grant.expires_at == first.until


# -- conflicts, desks, remarks ----------------------------------------------------------


def test_a_reviewer_with_a_conflict_cannot_decide_and_loses_the_claim(
    cast: Cast, gated_tier: Tier
) -> None:
    application = led_to(S.IN_REVIEW, cast, gated_tier)
    conflicts.declare_conflict(application, by=cast["claimer"], reason="we share a grant")
    assert application.status == S.SUBMITTED
    for action in ("claim", "approve", "reject", "return"):
        with pytest.raises(AccountsError, match="conflict"):
            attempt(action, application, cast["claimer"], cast)


def test_a_lead_puts_it_on_the_desk_of_who_may_review_it_alone(
    cast: Cast, gated_tier: Tier
) -> None:
    application = led_to(S.IN_REVIEW, cast, gated_tier)
    with pytest.raises(AccountsError, match="may not review"):
        claims.assign(application, cast["elsewhere"], by=cast["lead"])
    claims.assign(application, cast["reviewer"], by=cast["lead"])
    assert application.claimed_by == cast["reviewer"]
    assert OutgoingMail.objects.filter(kind="application_assigned").count() == 1
    with pytest.raises(AccountsError, match="has claimed"):
        decisions.approve(application, by=cast["claimer"], confirmed=True)


def test_a_return_says_at_a_field_what_should_change(cast: Cast, gated_tier: Tier) -> None:
    application = led_to(S.IN_REVIEW, cast, gated_tier)
    for remarks in ({}, {"abstract": "  "}, {"no_such_field": "x"}):
        with pytest.raises(AccountsError):
            decisions.return_for_changes(
                application, by=cast["claimer"], reasons=["incomplete"], remarks=remarks
            )
    decisions.return_for_changes(
        application, by=cast["claimer"], reasons=["incomplete"], remarks=REMARKS
    )
    assert application.remarks.get().is_public
    mail = OutgoingMail.objects.get(kind="application_returned")
    assert REMARKS["abstract"] in mail.text


def test_a_remark_for_staff_is_mailed_to_nobody(cast: Cast, gated_tier: Tier) -> None:
    application = led_to(S.IN_REVIEW, cast, gated_tier)
    before = OutgoingMail.objects.count()
    conversation.remark(application, "I know this group.", by=cast["reviewer"])
    assert OutgoingMail.objects.count() == before
    conversation.remark(application, "It needs 8 × 80 GB.", by=cast["claimer"], public=True)
    mail = OutgoingMail.objects.get(kind="remark_made")
    assert mail.recipient == cast["applicant"]


def test_a_colleague_is_consulted_by_mail_without_the_answers_of_the_form(
    cast: Cast, gated_tier: Tier
) -> None:
    application = led_to(S.IN_REVIEW, cast, gated_tier)
    conversation.ask(application, cast["lead"], "Do you know them?", by=cast["claimer"])
    mail = OutgoingMail.objects.get(kind="colleague_asked")
    assert mail.recipient == cast["lead"]
    assert application.answers["abstract"] not in mail.text


# -- the clock, and applying again ------------------------------------------------------


def test_the_clock_stops_while_the_applicant_must_act(cast: Cast, gated_tier: Tier) -> None:
    with time_machine.travel("2027-02-04 10:00Z", tick=False):  # a Thursday
        application = led_to(S.SUBMITTED, cast, gated_tier)
        assert str(application.due_on) == "2027-02-11"
    with time_machine.travel("2027-02-08 10:00Z", tick=False):  # two working days later
        attempt("return", application, cast["claimer"], cast)
        assert (application.due_on, application.days_left) == (None, 3)
    with time_machine.travel("2027-02-27 10:00Z", tick=False):  # a Saturday
        attempt("submit", application, cast["applicant"], cast)
        assert str(application.due_on) == "2027-03-03"


def test_the_days_of_a_reason_pass_before_the_next_application(
    cast: Cast, gated_tier: Tier
) -> None:
    application = led_to(S.IN_REVIEW, cast, gated_tier)
    decisions.reject(application, by=cast["claimer"], reasons=["commercial_use"], note=NOTE)
    with pytest.raises(AccountsError, match="again from"):
        submission.copy_as_new(application, by=cast["applicant"])
    with pytest.raises(AccountsError, match="again from"):
        submission.start(cast["applicant"], gated_tier)


def test_a_copy_carries_the_answers_but_not_the_acceptance(cast: Cast, gated_tier: Tier) -> None:
    application = led_to(S.REJECTED, cast, gated_tier)
    copy = submission.copy_as_new(application, by=cast["applicant"])
    assert copy.predecessor == application
    assert copy.answers["title"] == application.answers["title"]
    assert "licence_accept" not in copy.answers


def test_at_most_one_open_application_whatever_the_state() -> None:
    assert {S.SUBMITTED, S.IN_REVIEW, S.RETURNED} == OPEN_STATES
