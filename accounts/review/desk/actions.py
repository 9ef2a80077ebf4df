"""The actions of the review page: one `Action` a button, and the registry of all of them.

The page, the permission check and the handling of a POST all read `ACTIONS`. An action that is not
in the registry is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.applications.models import Application
from accounts.applications.workflow import claims, conversation, decisions
from accounts.errors import AccountsError, NotAllowed, NotFound
from accounts.mail.models import OutgoingMail
from accounts.mail.outbox import Message
from accounts.review import forms, services
from accounts.review.desk import preview
from accounts.review.desk.access import Access
from accounts.users.models import User

REVIEW = "accounts.review_application"
#: Reopening ends the access that was given, so it needs the permission to revoke.
REVOKE = "accounts.revoke_grant"

Values = dict[str, Any]


class Outcome(NamedTuple):
    """The message for the reviewer, and the application whose page comes next."""

    message: str
    application: Application


class PreviewOutdated(AccountsError):
    """The mails that would be sent differ from those in the preview."""

    def __init__(self) -> None:
        super().__init__("the mail is not the one you saw any more; read it again, then decide")


@dataclass(frozen=True)
class Action:
    """One button of the review page.

    `run` takes the application, the reviewer and the form's values, calls one service and returns
    an `Outcome`, or raises AccountsError.
    """

    name: str
    label: str
    form: type[forms.ActionForm]
    run: Callable[[Application, User, Values], Outcome]
    is_offered: Callable[[Access], bool]
    permission: str = REVIEW
    #: Gives access or ends it, so the reviewer signs in again first.
    changes_rights: bool = False
    #: Composes the mails of a verdict for its preview; None for every other action.
    compose: Callable[[Application, User, Values], list[Message]] | None = None
    #: The key that chooses a verdict.
    key: str = ""
    #: The submit button of an action whose form stands in the list below the conversation.
    button: str = ""
    help: str = ""

    @property
    def is_verdict(self) -> bool:
        return self.compose is not None

    def bind(self, application: Application, by: User, data: Any = None) -> forms.ActionForm:
        """The form, bound to `data` if given. Verdicts share fields and so have no prefix."""
        prefix = None if self.is_verdict else self.name
        return self.form(data, application=application, by=by, prefix=prefix)

    def perform(
        self, application: Application, by: User, values: Values, *, previewed: str = ""
    ) -> Outcome:
        """Run the action. `previewed` is the digest of the mails in the preview, if there was one.

        Raises PreviewOutdated when a verdict would send other mails than those.
        """
        if previewed and self.compose is not None:
            mails = self.compose(application, by, values)
            if previewed != preview.digest(mails):
                raise PreviewOutdated
        return self.run(application, by, values)


def get_action(name: str, by: User) -> Action:
    """The action of this name. Raises NotFound if there is none, NotAllowed without permission."""
    action = ACTIONS.get(name)
    if action is None:
        raise NotFound(f"there is no action {name!r}; use the buttons of the page")
    if not by.has_perm(action.permission):
        raise NotAllowed("your roles do not include this action")
    return action


def offered(access: Access) -> dict[str, Action]:
    """The actions that this person may take now, by name, in the order of the registry."""
    return {name: action for name, action in ACTIONS.items() if action.is_offered(access)}


# -- verdicts ---------------------------------------------------------------------------


def _approve(application: Application, by: User, values: Values) -> Outcome:
    grant = decisions.approve(application, by=by, **values)
    if grant is None:
        return Outcome("approved by you; it waits for a second reviewer", application)
    message = f"approved until {grant.expires_at:%d %B %Y}; the applicant is notified"
    return Outcome(message, application)


def _return(application: Application, by: User, values: Values) -> Outcome:
    decisions.return_for_changes(application, by=by, **values)
    return Outcome("returned to the applicant", application)


def _reject(application: Application, by: User, values: Values) -> Outcome:
    decisions.reject(application, by=by, **values)
    return Outcome("rejected; the applicant is notified", application)


def _reopen(application: Application, by: User, values: Values) -> Outcome:
    applicant, tier = application.applicant, application.tier
    reopened = decisions.reopen(applicant, tier, by=by, **values)
    message = f"reopened as {reopened.reference}; existing access has ended"
    return Outcome(message, reopened)


# -- claims -----------------------------------------------------------------------------


def _claim(application: Application, by: User, values: Values) -> Outcome:
    claims.claim(application, by=by)
    return Outcome("claimed: nobody else can decide it now", application)


def _release(application: Application, by: User, values: Values) -> Outcome:
    claims.release(application, by=by)
    return Outcome("released to the queue", application)


def _assign(application: Application, by: User, values: Values) -> Outcome:
    claims.assign(application, values["to"], by=by)
    return Outcome(f"now on the desk of {values['to'].display_name}", application)


def _declare_conflict(application: Application, by: User, values: Values) -> Outcome:
    claims.declare_conflict(application, by=by, reason=values["reason"])
    return Outcome("your conflict of interest is noted; somebody else decides", application)


# -- conversation -----------------------------------------------------------------------


def _ask(application: Application, by: User, values: Values) -> Outcome:
    colleague: User = values["colleague"]
    services.ask_colleague(application, colleague, values["question"], by=by)
    return Outcome(f"{colleague.display_name} is asked by mail", application)


def _answer(application: Application, by: User, values: Values) -> Outcome:
    consultation = _get(application.consultations.all(), "question", pk=values["asked"])
    conversation.answer_question(application, consultation, values["text"], by=by)
    return Outcome("answered", application)


def _remark(application: Application, by: User, values: Values) -> Outcome:
    public: bool = values["public"]
    conversation.remark(application, values["text"], by=by, field=values["field"], public=public)
    message = "remarked; the applicant is notified" if public else "remarked for staff"
    return Outcome(message, application)


def _settle(application: Application, by: User, values: Values) -> Outcome:
    remark = _get(application.remarks.all(), "remark", pk=values["remark"])
    conversation.settle(application, remark, by=by, done=values["done"])
    return Outcome("ticked off" if values["done"] else "open again", application)


def _send_mail_again(application: Application, by: User, values: Values) -> Outcome:
    mail = _get(OutgoingMail.objects.all(), "mail", public_id=values["mail"])
    conversation.send_mail_again(application, mail, by=by)
    return Outcome(f"the mail to {mail.to} is on its way once more", application)


def _get(records: QuerySet[Any], noun: str, **lookup: Any) -> Any:
    record = records.filter(**lookup).first()
    if record is None:
        raise NotFound(f"there is no such {noun}")
    return record


# -- registry ---------------------------------------------------------------------------

#: Every action by its name, which is also a part of its URL, in the order of the page.
ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action(
            "approve",
            "Approve",
            forms.ApproveForm,
            _approve,
            Access.can_approve,
            changes_rights=True,
            compose=preview.compose_approval,
            key="a",
        ),
        Action(
            "return",
            "Return",
            forms.ReturnForm,
            _return,
            lambda access: access.can_decide("return"),
            compose=preview.compose_return,
            key="r",
        ),
        Action(
            "reject",
            "Reject",
            forms.RejectForm,
            _reject,
            lambda access: access.can_decide("reject"),
            compose=preview.compose_rejection,
            key="x",
        ),
        Action(
            "claim", "Claim", forms.NoForm, _claim, lambda access: "claim" in access.transitions
        ),
        Action(
            "release",
            "Release",
            forms.NoForm,
            _release,
            lambda access: "release" in access.transitions,
        ),
        Action("answer", "Answer", forms.AnswerForm, _answer, Access.can_discuss),
        Action("settle", "Tick off", forms.SettleForm, _settle, Access.can_discuss),
        Action(
            "mail", "Send it again", forms.MailForm, _send_mail_again, lambda access: access.reviews
        ),
        Action("ask", "Ask", forms.AskForm, _ask, Access.can_discuss, button="Ask"),
        Action("remark", "Remark", forms.RemarkForm, _remark, Access.can_discuss, button="Remark"),
        Action(
            "assign",
            "Assign",
            forms.AssignForm,
            _assign,
            lambda access: "assign" in access.transitions,
            button="Assign",
        ),
        Action(
            "conflict",
            "Conflict",
            forms.ConflictForm,
            _declare_conflict,
            Access.can_discuss,
            button="Declare the conflict",
            help="You then cannot decide it; a claim of yours ends.",
        ),
        Action(
            "reopen",
            "Reopen",
            forms.ReopenForm,
            _reopen,
            Access.can_reopen,
            permission=REVOKE,
            changes_rights=True,
            button="Reopen",
            help=(
                "Puts the request back in the queue with the last submitted answers. Existing "
                "access ends at once."
            ),
        ),
    )
}
VERDICTS = tuple(action.name for action in ACTIONS.values() if action.is_verdict)
