"""The permissions of one person for one application, as the review page needs them."""

from dataclasses import dataclass

from accounts.applications.models import Application
from accounts.applications.transition_table import TRANSITIONS, Actor, Status
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_MANAGERS
from accounts.users.models import User


@dataclass(frozen=True)
class Access:
    """The transitions of `application` that the table allows `user` to make now."""

    application: Application
    user: User
    #: True if the user has the permission to review and a role for the tier, without a conflict.
    reviews: bool
    transitions: frozenset[str]

    @property
    def is_own(self) -> bool:
        return bool(self.application.applicant_id == self.user.pk)

    def can_discuss(self) -> bool:
        """True for reviewers while the application is open: they may ask and remark."""
        return self.reviews and self.application.is_open

    def can_decide(self, verdict: str) -> bool:
        """True if the verdict is allowed now, or after the claim that a decision makes first."""
        return verdict in self.transitions or "claim" in self.transitions

    def can_approve(self) -> bool:
        """Like `can_decide`, but the second of two approvals must come from another reviewer."""
        first = self.application.first_approval
        is_second_by_same = first is not None and first.reviewer_id == self.user.pk
        return self.can_decide("approve") and not is_second_by_same

    def can_reopen(self) -> bool:
        """True if a lead reviewer may reopen it: only the applicant's newest for the tier."""
        application, tier = self.application, self.application.tier
        of_tier = application.applicant.applications.filter(tier=tier)
        newer = of_tier.filter(pk__gt=application.pk).exclude(status=Status.DRAFT)
        return (
            application.status in TRANSITIONS["reopen"].leaves
            and application.applicant.erased_at is None
            and not self.is_own
            and self.user.has_perm("accounts.revoke_grant")
            and RoleAssignment.objects.covers(self.user, GRANT_MANAGERS, tier)
            and not newer.exists()
            and not of_tier.open().exists()
        )


def access_of(application: Application, user: User) -> Access:
    """Return what `user` may do; nothing without the permission to review."""
    if not user.has_perm("accounts.review_application"):
        return Access(application, user, reviews=False, transitions=frozenset())
    actors = application.actors(user)
    transitions = frozenset(
        name
        for name, transition in TRANSITIONS.items()
        if application.status in transition.leaves and actors & transition.by
    )
    if application.pending_until is not None:
        transitions &= {"undo"}
    return Access(application, user, Actor.REVIEWER in actors, transitions)
