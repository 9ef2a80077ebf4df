"""The one screen on which an application is decided: what it shows to whom."""

from dataclasses import dataclass, field
from typing import Any

from django.forms import BoundField, Form
from django.utils import timezone

from accounts.applications.custom_questions import Extra
from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application, ApplicationSnapshot
from accounts.applications.questions import readable
from accounts.applications.state_machine import MOVES, Actor, Status
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.review import evidence, working_days
from accounts.review.checklist import QUESTIONS
from accounts.review.desk import preview
from accounts.review.forms import (
    CHECK,
    REMARK,
    ActionForm,
    AnswerForm,
    ApproveForm,
    AskForm,
    AssignForm,
    ConflictForm,
    MailForm,
    NoForm,
    RejectForm,
    RemarkForm,
    ReopenForm,
    ReturnForm,
    SettleForm,
)
from accounts.review.models import Remark
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS, GRANT_KEEPERS
from accounts.users.models import User
from accounts.web.word_diff import Part, diff

VERDICTS: dict[str, type[ActionForm]] = {
    "approve": ApproveForm,
    "return": ReturnForm,
    "reject": RejectForm,
}
#: What each button posts; the verdicts share one form, the others have one each.
FORMS: dict[str, type[ActionForm]] = {
    **VERDICTS,
    "claim": NoForm,
    "release": NoForm,
    "ask": AskForm,
    "answer": AnswerForm,
    "remark": RemarkForm,
    "settle": SettleForm,
    "mail": MailForm,
    "conflict": ConflictForm,
    "assign": AssignForm,
    "reopen": ReopenForm,
}
_WITH_COLLEAGUES = (AskForm, AssignForm)
#: Long answers stand first: they are what is judged.
LONG = ("title", "abstract", "commercial_detail", "storage_plan")


@dataclass
class Answer:
    """One answer as it stands on the page."""

    key: str
    label: str
    text: str
    #: What changed since the last submission; empty where nothing did.
    changes: list[Part] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    #: Where a remark is written when the application is returned.
    remark_field: BoundField | None = None

    @property
    def is_long(self) -> bool:
        return self.key in LONG or len(self.text) > 120

    @property
    def url(self) -> str:
        return self.text if self.text.startswith("https://") else ""


def form_of(action: str, application: Application, by: User, data: Any = None) -> ActionForm:
    """The form of a button, with what was posted, if anything was."""
    kind = FORMS[action]
    extra: dict[str, Any] = {}
    if issubclass(kind, _WITH_COLLEAGUES):
        extra["colleagues"] = colleagues(application, but=by if kind is AskForm else None)
    if action not in VERDICTS:
        extra["prefix"] = action
    return kind(data, application=application, by=by, **extra)


def colleagues(application: Application, but: User | None = None) -> Any:
    """Who may decide this application: reviewers of its tier, never the applicant."""
    held = RoleAssignment.objects.filter(role__in=DECIDERS)
    mine = held.filter(tier=None) | held.filter(tier=application.tier)
    people = User.objects.filter(
        pk__in=mine.values("user"), is_active=True, is_staff=True, suspended_at=None
    ).exclude(pk=application.applicant_id)
    people = people.exclude(pk__in=application.conflicts.values("reviewer"))
    return (people.exclude(pk=but.pk) if but else people).order_by("username")


@dataclass(frozen=True)
class Rights:
    """What this person may do with this application now."""

    actors: frozenset[Actor]
    moves: frozenset[str]
    verdicts: list[str]
    is_own: bool
    may_reopen: bool

    @property
    def may_talk(self) -> bool:
        return Actor.REVIEWER in self.actors

    @property
    def is_lead(self) -> bool:
        return Actor.LEAD in self.actors


def rights(application: Application, by: User) -> Rights:
    """Read off the table of moves: a button is shown when its move could be made."""
    actors = application.actors(by)
    moves = {
        name
        for name, move in MOVES.items()
        if application.status in move.leaves and actors & move.by
    }
    if not by.has_perm("accounts.review_application"):
        moves, actors = set(), actors - {Actor.REVIEWER, Actor.LEAD}
    return Rights(
        actors,
        frozenset(moves),
        _verdicts(application, by, moves),
        application.applicant_id == by.pk,
        _may_reopen(application, by),
    )


def _verdicts(application: Application, by: User, moves: set[str]) -> list[str]:
    if "claim" in moves:  # a decision claims on the way
        return list(VERDICTS)
    first = application.first_approval
    if first is not None and first.reviewer_id == by.pk:
        moves = moves - {"approve"}
    return [verdict for verdict in VERDICTS if verdict in moves]


def _may_reopen(application: Application, by: User) -> bool:
    """Whether to offer it: on the last word between applicant and tier, to a lead reviewer."""
    same = application.applicant.applications.filter(tier=application.tier)
    later = same.filter(pk__gt=application.pk).exclude(status=Status.DRAFT)
    return (
        application.status in MOVES["reopen"].leaves
        and application.applicant.erased_at is None
        and application.applicant_id != by.pk
        and by.has_perm("accounts.revoke_grant")
        and RoleAssignment.objects.covers(by, GRANT_KEEPERS, application.tier)
        and not later.exists()
        and not same.open().exists()
    )


def context(
    application: Application, by: User, posted: dict[str, Form] | None = None, verdict: str = ""
) -> dict[str, Any]:
    """Everything that the page shows; `posted` are forms that did not hold, by their button.

    `verdict` is the one chosen, whose mail is shown.
    """
    posted = posted or {}
    may = rights(application, by)
    snapshots = list(application.snapshots.select_related("licence_version"))
    remarks = list(application.remarks.select_related("author", "settled_by", "snapshot"))
    forms = _forms(application, by, may, posted, verdict)
    return {
        "application": application,
        "snapshot": snapshots[-1] if snapshots else None,
        "answers": _answers(application, snapshots, remarks, forms.get("return")),
        "documents": _documents(application, snapshots),
        "general_remarks": [one for one in remarks if not one.field],
        "strip": evidence.strip(application, by),
        "consultations": list(application.consultations.select_related("asked_by", "colleague")),
        "decisions": application.decisions.select_related("reviewer", "snapshot"),
        "others": Application.objects.readable_by(by)
        .filter(applicant=application.applicant_id)
        .exclude(pk=application.pk)
        .select_related("tier"),
        "events": AuditEvent.objects.about(application),
        "mails": OutgoingMail.objects.filter(
            object_kind="application", object_id=str(application.public_id)
        ).order_by("pk"),
        "age": _age(application),
        "is_overdue": _is_overdue(application),
        "may": may,
        "forms": forms,
        "typed": _typed(forms, verdict),
        "errors": _errors(posted),
        "checklist": _checklist(_typed(forms, verdict)),
        "chosen": verdict,
        "preview": _preview(verdict, application, by, forms),
        "is_first_of_two": preview.is_first_of_two(application),
    }


def _forms(
    application: Application, by: User, may: Rights, posted: dict[str, Form], verdict: str
) -> dict[str, Form]:
    """The forms of the buttons that are shown; all verdicts keep what one of them was sent."""
    shown = set(may.verdicts)
    if may.may_talk and application.is_open:
        shown |= {"ask", "answer", "remark", "conflict"}
    if "assign" in may.moves:
        shown.add("assign")
    if may.may_reopen:
        shown.add("reopen")
    data = posted[verdict].data if verdict in posted else None
    made = {name: form_of(name, application, by) for name in shown}
    if data is not None:
        made |= {name: _unjudged(name, application, by, data) for name in may.verdicts}
    return made | posted


def _unjudged(name: str, application: Application, by: User, data: Any) -> ActionForm:
    """A verdict's form that keeps what was typed for another one, without complaining of it."""
    kept = form_of(name, application, by)
    for field_name, one in kept.fields.items():
        one.initial = one.widget.value_from_datadict(data, {}, field_name) or one.initial
    return kept


def _typed(forms: dict[str, Form], verdict: str) -> Form | None:
    """The form that holds what all verdicts share, as it was typed last."""
    return next((forms[name] for name in (verdict, *VERDICTS) if name in forms), None)


def _errors(posted: dict[str, Form]) -> list[tuple[str, str]]:
    """(verdict, what does not hold) of the verdict that was sent."""
    return [
        (name, str(text))
        for name, form in posted.items()
        if name in VERDICTS
        for texts in form.errors.values()
        for text in texts
    ]


def _checklist(form: Form | None) -> list[BoundField]:
    return [form[CHECK + key] for key in QUESTIONS] if form else []


def _preview(
    verdict: str, application: Application, by: User, forms: dict[str, Form]
) -> dict[str, Any]:
    form = forms.get(verdict)
    if not isinstance(form, ActionForm) or not form.is_bound:
        return {}
    form.is_valid()
    said = form.values()
    return composed(preview.messages(verdict, application, by, said), said)


def composed(mails: list[Any], said: dict[str, Any]) -> dict[str, Any]:
    """What a preview shows: the first mail, to whom else it goes, and the end of access."""
    return {
        "to": [mail.to for mail in mails],
        "subject": mails[0].subject if mails else "",
        "text": mails[0].text if mails else "",
        "seen": preview.digest(mails),
        "until": said.get("until"),
    }


def _answers(
    application: Application,
    snapshots: list[ApplicationSnapshot],
    remarks: list[Remark],
    return_form: Form | None,
) -> list[Answer]:
    """The answers last sent, long ones first, each with its changes and remarks."""
    if not snapshots:
        return []
    now = snapshots[-1].answers
    before = snapshots[-2].answers if len(snapshots) > 1 else None
    extras = {extra.key: extra for extra in application.form.extras}
    found = []
    for key, label in application.form.labels().items():
        text, past = (_said(key, said, extras.get(key)) for said in (now, before or {}))
        if not text and not past:
            continue
        changed = before is not None and text != past
        found.append(
            Answer(
                key,
                label,
                text,
                changes=diff(past, text) if changed else [],
                remarks=[one for one in remarks if one.field == key],
                remark_field=return_form[REMARK + key] if return_form else None,
            )
        )
    return sorted(found, key=lambda one: LONG.index(one.key) if one.key in LONG else len(LONG))


def _documents(
    application: Application, snapshots: list[ApplicationSnapshot]
) -> list[tuple[str, Attachment, bool]]:
    """(question, document, whether it was sent last); what was never sent is not for staff."""
    sent = [_named_in(snapshot.answers) for snapshot in snapshots]
    labels = application.form.labels()
    return [
        (labels.get(one.question, ""), one, str(one.public_id) in sent[-1])
        for one in application.attachments.all()
        if any(str(one.public_id) in ids for ids in sent)
    ]


def _named_in(answers: dict[str, Any]) -> set[str]:
    """The ids of the documents that these answers name."""
    return {
        str(document.get("id"))
        for value in answers.values()
        if isinstance(value, list)
        for document in value
        if isinstance(document, dict)
    }


def _said(key: str, answers: dict[str, Any], extra: Extra | None) -> str:
    value = answers.get(key)
    return "" if value in (None, "", []) else readable(key, value, extra)


def _age(application: Application) -> int | None:
    """Working days since it was first sent, up to its decision."""
    if application.submitted_at is None:
        return None
    end = application.decided_at or timezone.now()
    return working_days.between(
        working_days.day_of(application.submitted_at), working_days.day_of(end)
    )


def _is_overdue(application: Application) -> bool:
    today = working_days.day_of(timezone.now())
    return application.is_waiting and application.due_on is not None and application.due_on < today
