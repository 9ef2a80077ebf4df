"""Forty applications: what happens to each, and when."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from accounts.applications.models import Application
from accounts.applications.workflow import claims, conversation, decisions, submission
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.review.checklist import QUESTIONS
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.users.services import create_account
from portal.demo_install import cast
from portal.demo_install.story import DAYS, Event, Moment


class Course(Enum):
    """What happens to an application."""

    APPROVED = auto()
    REVOKED = auto()
    SURRENDERED = auto()
    REJECTED = auto()
    CORRECTED = auto()
    RETURNED = auto()
    WITHDRAWN = auto()
    CLAIMED = auto()
    SUBMITTED = auto()
    DRAFT = auto()


#: In order of time: one every four days, and the last twelve within the last ten days.
_EARLY = [Course.APPROVED, Course.REJECTED, Course.APPROVED, Course.CORRECTED] * 5
_MIDDLE = [Course.RETURNED, Course.WITHDRAWN, Course.REVOKED, Course.SURRENDERED] * 2
_LATE = [
    *[Course.RETURNED, Course.CLAIMED, Course.CLAIMED, Course.CLAIMED, Course.CORRECTED],
    *[Course.SUBMITTED, Course.SUBMITTED, Course.SUBMITTED, Course.SUBMITTED],
    *[Course.DRAFT, Course.DRAFT, Course.DRAFT],
]
COURSES = [*_EARLY, *_MIDDLE, *_LATE]
_CHECKLIST = dict.fromkeys(QUESTIONS, "yes")
_REFUSALS = [
    ("commercial_use", "The results are for a product of the company, as the abstract says."),
    ("purpose_unclear", "The question that the weights should answer is not stated."),
    ("identity_unverified", "No public page names the applicant or the group."),
]


def events(tier: Tier) -> Iterator[Event]:
    """The events of every application, unsorted."""
    for number, (person, course) in enumerate(
        zip(cast.applicants(len(COURSES)), COURSES, strict=True)
    ):
        yield from _Applicant(tier, person, number).events(course)


def _first_day(number: int) -> int:
    early = len(COURSES) - len(_LATE)
    return 4 + number * 4 if number < early else DAYS - 10 + (number - early) * 9 // len(_LATE)


@dataclass
class _Applicant:
    """One person and their application for `tier`."""

    tier: Tier
    person: cast.Person
    number: int

    def events(self, course: Course) -> Iterator[Event]:
        day = _first_day(self.number)
        decided = day + 2 + self.number % 7
        steps: list[tuple[Moment, Callable[[], object]]] = [(Moment(day), self.start)]
        if course is not Course.DRAFT:
            steps.append((Moment(day, 9.5), self.submit))
        match course:
            case Course.APPROVED:
                steps.append((Moment(decided, 11), self.approve))
            case Course.REVOKED:
                steps += [(Moment(decided, 11), self.approve), (Moment(decided + 15), self.revoke)]
            case Course.SURRENDERED:
                steps += [
                    (Moment(decided, 11), self.approve),
                    (Moment(decided + 20), self.surrender),
                ]
            case Course.REJECTED:
                steps.append((Moment(decided, 14), self.reject))
            case Course.RETURNED:
                steps.append((Moment(day + 2, 15), self.return_for_changes))
            case Course.CORRECTED:
                steps += [
                    (Moment(day + 1, 15), self.return_for_changes),
                    (Moment(day + 2, 10), self.submit),
                    (Moment(day + 4, 12), self.approve),
                ]
            case Course.WITHDRAWN:
                steps.append((Moment(day + 1, 16), self.withdraw))
            case Course.CLAIMED:
                steps.append((Moment(DAYS - 1, 13), self.claim))
        return (Event(at, happen) for at, happen in steps if at.day < DAYS)

    # -- the steps -------------------------------------------------------------------------

    def start(self) -> None:
        applicant = create_account(self.person.username, self.person.email)
        draft = submission.start(applicant, self.tier)
        submission.save_answers(draft, self.person.answers, by=applicant, expected_version=0)

    def submit(self) -> None:
        version = self.tier.licence_in_force()
        assert version is not None  # a reviewed tier has a licence
        submission.submit(self.application, by=self.applicant, licence_sha256=version.text_sha256)

    def approve(self) -> None:
        application = self.application
        for remark in application.remarks.filter(settled_at=None):
            conversation.settle(application, remark, by=self.reviewer)
        decisions.approve(application, by=self.reviewer, checklist=_CHECKLIST)

    def reject(self) -> None:
        code, note = _REFUSALS[self.number % len(_REFUSALS)]
        decisions.reject(
            self.application, by=self.reviewer, reasons=[code], note=note, checklist=_CHECKLIST
        )

    def return_for_changes(self) -> None:
        decisions.return_for_changes(
            self.application,
            by=self.reviewer,
            reasons=["plan_insufficient"],
            remarks={"storage_plan": "Name the date by which the copies are deleted."},
        )

    def withdraw(self) -> None:
        submission.withdraw(self.application, by=self.applicant, reason="The project ended.")

    def claim(self) -> None:
        claims.claim(self.application, by=self.reviewer)

    def revoke(self) -> None:
        reason = "The weights were found on a public server, and this is invented."
        lifecycle.revoke(self.grant, by=self.lead, reason=reason, code="leak")

    def surrender(self) -> None:
        lifecycle.surrender(self.grant, by=self.applicant)

    # -- their records ---------------------------------------------------------------------

    @property
    def applicant(self) -> User:
        return User.objects.get(username=self.person.username)

    @property
    def application(self) -> Application:
        return Application.objects.get(applicant=self.applicant)

    @property
    def grant(self) -> Grant:
        return Grant.objects.get(user=self.applicant)

    @property
    def reviewer(self) -> User:
        return User.objects.get(username=cast.REVIEWERS[self.number % len(cast.REVIEWERS)])

    @property
    def lead(self) -> User:
        return User.objects.get(username=cast.LEAD)
