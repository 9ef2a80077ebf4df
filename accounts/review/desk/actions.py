"""The actions of the review page: one `Action` per button, and their registry.

The page, the permission check and the POST handler all use `ACTIONS`. Actions that are not
registered are refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from accounts.applications.models import Application
from accounts.applications.workflow import (
    claims,
    conflicts,
    conversation,
    decisions,
    undo_window,
)
from accounts.applications.workflow.verdicts import Verdict
from accounts.errors import AccountsError, NotAllowed, NotFound
from accounts.grants.models import Grant
from accounts.mail.outbox import Message
from accounts.review import forms, services
from accounts.review.desk import preview
from accounts.review.desk.access import Access
from accounts.users.models import User

REVIEW = "accounts.review_application"
#: Reopening ends existing access, so it requires the permission to revoke.
REVOKE = "accounts.revoke_grant"

Values = dict[str, Any]
_WAITS = "decided; it takes effect at {:%H:%M:%S} UTC, and you can undo it until then"


class Outcome(NamedTuple):
    """The message to the reviewer, the application to show next, and a verdict to fill in."""

    message: str
    application: Application
    undone: Verdict | None = None


class PreviewOutdated(AccountsError):
    """The mails to be sent differ from the previewed ones."""

    def __init__(self) -> None:
        super().__init__(
            "the mail has changed since you previewed it; read it again before you decide"
        )


@dataclass(frozen=True)
class Action:
    """One button of the review page.

    `service` takes the application, the reviewer as `by`, and the values of the form; it raises
    AccountsError. `message` is the text for the reviewer, or a function that returns it for
    the values and the result of the service.
    """

    name: str
    label: str
    form: type[forms.ActionForm]
    service: Callable[..., Any]
    message: str | Callable[[Values, Any], str]
    is_offered: Callable[[Access], bool]
    permission: str = REVIEW
    #: Composes the mails of a verdict for its preview; None for every other action.
    compose: Callable[[Application, User, Values], list[Message]] | None = None
    #: The keyboard shortcut of a verdict.
    key: str = ""
    #: The submit button of an action whose form is in the list below the conversation.
    button: str = ""
    help: str = ""

    @property
    def is_verdict(self) -> bool:
        return self.compose is not None

    def bind(self, application: Application, by: User, data: Any = None) -> forms.ActionForm:
        """Return the form, bound to `data` if any. Verdicts share fields and have no prefix."""
        prefix = None if self.is_verdict else self.name
        return self.form(data, application=application, by=by, prefix=prefix)

    def perform(self, form: forms.ActionForm, *, previewed: str = "") -> Outcome:
        """Call the service. `previewed` is the digest of the previewed mails, or empty.

        Raises PreviewOutdated if a verdict would send other mails, and AccountsError.
        """
        application, by, values = form.application, form.by, form.values()
        if previewed and self.compose is not None:
            mails = self.compose(application, by, values)
            if previewed != preview.digest(mails):
                raise PreviewOutdated
        result = self.service(application, by=by, **values)
        if self.is_verdict and application.pending_until is not None:
            return Outcome(_WAITS.format(application.pending_until), application)
        message = self.message if isinstance(self.message, str) else self.message(values, result)
        if isinstance(result, Verdict):
            return Outcome(message, application, undone=result)
        return Outcome(message, result if isinstance(result, Application) else application)


def get_action(name: str, by: User) -> Action:
    """Return the action with this name. Raises NotFound, or NotAllowed without permission."""
    action = ACTIONS.get(name)
    if action is None:
        raise NotFound(f"there is no action {name!r}; use the buttons on the page")
    if not by.has_perm(action.permission):
        raise NotAllowed("your roles do not include this action")
    return action


def offered(access: Access) -> dict[str, Action]:
    """Return the actions that the user may take now, by name, in the order of the registry."""
    return {name: action for name, action in ACTIONS.items() if action.is_offered(access)}


def _approved(values: Values, grant: Grant | None) -> str:
    if grant is None:
        return "approved by you; it waits for a second reviewer"
    return f"approved until {grant.expires_at:%d %B %Y}; the applicant is notified"


#: Every action by its name, which is part of its URL, in the order of the page.
ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action(
            "approve",
            "Approve",
            form=forms.ApproveForm,
            service=decisions.approve,
            message=_approved,
            is_offered=Access.can_approve,
            compose=preview.compose_approval,
            key="a",
        ),
        Action(
            "return",
            "Return",
            form=forms.ReturnForm,
            service=decisions.return_for_changes,
            message="returned to the applicant",
            is_offered=lambda access: access.can_decide("return"),
            compose=preview.compose_return,
            key="r",
        ),
        Action(
            "reject",
            "Reject",
            form=forms.RejectForm,
            service=decisions.reject,
            message="rejected; the applicant is notified",
            is_offered=lambda access: access.can_decide("reject"),
            compose=preview.compose_rejection,
            key="x",
        ),
        Action(
            "undo",
            "Undo",
            form=forms.NoForm,
            service=undo_window.undo,
            message="undone; it is on your desk again",
            is_offered=lambda access: "undo" in access.transitions,
        ),
        Action(
            "claim",
            "Claim",
            form=forms.NoForm,
            service=claims.claim,
            message="claimed; nobody else can decide it now",
            is_offered=lambda access: "claim" in access.transitions,
        ),
        Action(
            "release",
            "Release",
            form=forms.NoForm,
            service=claims.release,
            message="released to the queue",
            is_offered=lambda access: "release" in access.transitions,
        ),
        Action(
            "answer",
            "Answer",
            form=forms.AnswerForm,
            service=conversation.answer_question,
            message="answered",
            is_offered=Access.can_discuss,
        ),
        Action(
            "settle",
            "Tick off",
            form=forms.SettleForm,
            service=conversation.settle,
            message=lambda values, _: "ticked off" if values["done"] else "open again",
            is_offered=Access.can_discuss,
        ),
        Action(
            "mail",
            "Send it again",
            form=forms.MailForm,
            service=conversation.send_mail_again,
            message=lambda values, _: f"the mail to {values['mail'].to} was sent again",
            is_offered=lambda access: access.reviews,
        ),
        Action(
            "ask",
            "Ask",
            form=forms.AskForm,
            service=services.ask_colleague,
            message=lambda values, _: f"{values['colleague'].display_name} is asked by mail",
            is_offered=Access.can_discuss,
            button="Ask",
        ),
        Action(
            "remark",
            "Remark",
            form=forms.RemarkForm,
            service=conversation.remark,
            message=lambda values, _: (
                "remarked; the applicant is notified" if values["public"] else "remarked for staff"
            ),
            is_offered=Access.can_discuss,
            button="Remark",
        ),
        Action(
            "assign",
            "Assign",
            form=forms.AssignForm,
            service=claims.assign,
            message=lambda values, _: f"now assigned to {values['to'].display_name}",
            is_offered=lambda access: "assign" in access.transitions,
            button="Assign",
        ),
        Action(
            "conflict",
            "Conflict",
            form=forms.ConflictForm,
            service=conflicts.declare_conflict,
            message="your conflict of interest is recorded; another reviewer decides",
            is_offered=Access.can_discuss,
            button="Declare the conflict",
            help="You can then no longer decide it, and your claim ends.",
        ),
        Action(
            "reopen",
            "Reopen",
            form=forms.ReopenForm,
            service=services.reopen,
            message=lambda _, reopened: (
                f"reopened as {reopened.reference}; existing access has ended"
            ),
            is_offered=Access.can_reopen,
            permission=REVOKE,
            button="Reopen",
            help=(
                "Puts the request back in the queue with the last submitted answers. Existing "
                "access ends at once."
            ),
        ),
    )
}
VERDICTS = tuple(action.name for action in ACTIONS.values() if action.is_verdict)
