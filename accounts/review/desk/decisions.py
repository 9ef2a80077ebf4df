"""What each button of the review page does: one method of the model."""

from typing import Any

from accounts.applications.models import Application
from accounts.applications.state_machine import Status
from accounts.errors import NotFound
from accounts.mail.models import OutgoingMail
from accounts.review.forms import ActionForm
from accounts.users.models import User

#: Reopening takes away what was given, and so it needs the right to do that.
PERMISSIONS = {"reopen": "accounts.revoke_grant"}
REVIEW = "accounts.review_application"
#: These give access or take it away.
CHANGES_RIGHTS = frozenset({"approve", "reopen"})
#: After these the next application opens.
ENDS = frozenset({"approve", "return", "reject"})


def run(
    action: str, application: Application, by: User, form: ActionForm
) -> tuple[str, Application]:
    """Press a button; what it says, and the application to show. Raises AccountsError."""
    said = form.values()
    if action == "reopen":
        reopened = Application.objects.reopen(
            application.applicant, application.tier, by=by, **said
        )
        return f"reopened as {reopened.reference}; what access there was has ended", reopened
    if action in ENDS:
        return _decided(action, application, by, said), application
    return _talked(action, application, by, said), application


def _decided(action: str, application: Application, by: User, said: dict[str, Any]) -> str:
    match action:
        case "approve":
            grant = application.approve(by=by, **said)
            if grant is None:
                return "approved by you; it waits for a second reviewer"
            return f"approved until {grant.expires_at:%d %B %Y}; the applicant is told"
        case "return":
            application.return_for_changes(by=by, **said)
            return "returned to the applicant"
        case _:
            application.reject(by=by, **said)
            return "rejected; the applicant is told why"


def _talked(action: str, application: Application, by: User, said: dict[str, Any]) -> str:
    match action:
        case "claim":
            application.claim(by=by)
            return "claimed: nobody else can decide it now"
        case "release":
            application.release(by=by)
            return "released to the queue"
        case "ask":
            if application.status == Status.SUBMITTED:  # asking begins the review
                application.claim(by=by)
            application.ask(said["colleague"], said["question"], by=by)
            return f"{said['colleague'].display_name} is asked by mail"
        case "answer":
            asked = application.consultations.filter(pk=said["asked"]).first()
            if asked is None:
                raise NotFound("there is no such question")
            application.answer_question(asked, said["text"], by=by)
            return "answered"
        case "remark":
            application.remark(said["text"], by=by, field=said["field"], public=said["public"])
            return "remarked; the applicant is told" if said["public"] else "remarked for staff"
        case "settle":
            remark = application.remarks.filter(pk=said["remark"]).first()
            if remark is None:
                raise NotFound("there is no such remark")
            application.settle(remark, by=by, done=said["done"])
            return "ticked off" if said["done"] else "open again"
        case "mail":
            mail = OutgoingMail.objects.filter(public_id=said["mail"]).first()
            if mail is None:
                raise NotFound("there is no such mail")
            application.send_mail_again(mail, by=by)
            return f"the mail to {mail.to} is on its way once more"
        case "conflict":
            application.declare_conflict(by=by, reason=said["reason"])
            return "your conflict of interest is noted; somebody else decides"
        case _:
            application.assign(said["to"], by=by)
            return f"now on the desk of {said['to'].display_name}"
