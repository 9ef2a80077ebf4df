"""The context of the review page, on which one application is decided."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.forms import BoundField, Form

from accounts.applications.custom_questions import CustomQuestion
from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application, ApplicationSnapshot
from accounts.applications.questions import readable
from accounts.applications.transition_table import Status
from accounts.applications.workflow import undo_window
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.review import evidence, queue
from accounts.review.checklist import ANSWERS, QUESTIONS
from accounts.review.desk import preview
from accounts.review.desk.access import access_of
from accounts.review.desk.actions import ACTIONS, VERDICTS, Action, offered
from accounts.review.forms import CHECK, REMARK, ActionForm, verdict_data
from accounts.review.models import Decision, ReasonText, Remark
from accounts.users.models import User
from accounts.web.text_diff import Part, diff_words

#: Long answers come first, because the decision rests on them.
LONG = ("title", "abstract", "commercial_detail", "storage_plan")


@dataclass
class Answer:
    """One answer on the page."""

    key: str
    label: str
    text: str
    #: The differences from the previous submission; empty if unchanged.
    changes: list[Part] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    #: The field for a remark to the applicant; None unless the application can be returned.
    remark_field: BoundField | None = None

    @property
    def is_long(self) -> bool:
        return self.key in LONG or len(self.text) > 120

    @property
    def url(self) -> str:
        return self.text if self.text.startswith("https://") else ""


def context(
    application: Application, by: User, posted: dict[str, Form] | None = None
) -> dict[str, Any]:
    """Return the template context; `posted` maps the name of an action to its posted form."""
    posted = posted or {}
    chosen = next((name for name in posted if name in VERDICTS), "")
    access = access_of(application, by)
    actions = offered(access)
    forms = _forms(application, by, actions, posted, chosen)
    undone = undo_window.undone_verdict(application)
    if undone is not None and not chosen:
        for name in VERDICTS:
            if name in forms:
                _fill(forms[name], verdict_data(undone))
    shared = next((forms[name] for name in (chosen, *VERDICTS) if name in forms), None)
    return {
        "access": access,
        "actions": actions,
        "verdicts": [action for action in actions.values() if action.is_verdict],
        "forms": forms,
        "panels": [(one, forms[name]) for name, one in ACTIONS.items() if _has_panel(one, forms)],
        #: A form with the fields that the verdicts share, as last filled in.
        "typed": shared,
        "errors": _errors(posted.get(chosen)),
        "open_points": getattr(posted.get(chosen), "open_points", []),
        "undoable": queue.undoable_by(by),
        "undone": undone,
        "checklist": [shared[CHECK + key] for key in QUESTIONS] if shared else [],
        "chosen": chosen,
        "preview": _preview(chosen, application, by, forms),
        "is_first_of_two": preview.is_first_of_two(application),
        **_record(application, by, forms.get("return")),
    }


def _record(application: Application, by: User, return_form: Form | None) -> dict[str, Any]:
    """Return everything that the page shows from the database about the application."""
    snapshots = list(application.snapshots.select_related("licence_version"))
    remarks = list(application.remarks.select_related("author", "settled_by", "snapshot"))
    labels = ReasonText.objects.current()
    consultations = list(application.consultations.select_related("asked_by", "colleague"))
    return {
        "application": application,
        "snapshot": snapshots[-1] if snapshots else None,
        "answers": _answers(application, snapshots, remarks, return_form),
        "documents": _documents(application, snapshots),
        **_predecessor(application, by, labels),
        "general_remarks": [one for one in remarks if not one.field],
        "evidence": evidence.collect(application, by),
        "consultations": consultations,
        "questions_to_user": [
            one for one in consultations if one.colleague_id == by.pk and one.answered_at is None
        ],
        "claimer": _claimer(application, by),
        "decisions": _worded(application.decisions.select_related("reviewer", "snapshot"), labels),
        "others": Application.objects.readable_by(by)
        .filter(applicant=application.applicant_id)
        .exclude(pk=application.pk)
        .select_related("tier"),
        "events": AuditEvent.objects.about(application),
        "mails": OutgoingMail.objects.filter(
            object_kind="application", object_id=str(application.public_id)
        ).order_by("pk"),
        "age": queue.age_in_days(application),
        "is_overdue": queue.is_overdue(application),
    }


def _predecessor(
    application: Application, by: User, labels: dict[str, tuple[str, str]]
) -> dict[str, Any]:
    """Return the application that this one continues or copies, with its decisions."""
    before = application.predecessor
    if before is None or not Application.objects.readable_by(by).filter(pk=before.pk).exists():
        return {"predecessor": None}
    decisions = before.decisions.select_related("reviewer").exclude(verdict="return")
    return {"predecessor": before, "earlier_decisions": _worded(decisions, labels)}


def _worded(
    decisions: Iterable[Decision], labels: dict[str, tuple[str, str]]
) -> list[tuple[Decision, str, str]]:
    """Return each decision with its reasons and its checklist in words."""
    return [
        (
            one,
            "; ".join(labels[code][0] for code in one.reasons),
            "; ".join(
                f"{QUESTIONS.get(key, key)} {ANSWERS.get(answer, answer)}"
                for key, answer in one.checklist.items()
            ),
        )
        for one in decisions
    ]


def _claimer(application: Application, by: User) -> str:
    """Return the current or previous reviewer; empty if nobody claimed the application."""
    claimer = application.claimed_by
    if claimer is None:
        return ""
    name = "you" if claimer.pk == by.pk else claimer.display_name
    verb = "claimed by" if application.status == Status.IN_REVIEW else "last with"
    return f"{verb} {name}"


# -- forms ------------------------------------------------------------------------------


def _forms(
    application: Application,
    by: User,
    actions: dict[str, Action],
    posted: dict[str, Form],
    chosen: str,
) -> dict[str, Form]:
    """Return the forms of the offered actions; all verdicts keep the input posted for one."""
    forms: dict[str, Form] = {name: one.bind(application, by) for name, one in actions.items()}
    if chosen:
        data = posted[chosen].data
        for name in VERDICTS:
            if name in forms:
                _fill(forms[name], data)
    return forms | posted


def _fill(form: Form, data: Any) -> None:
    """Use `data` as initial values, so that errors of another verdict are not shown."""
    for name, one in form.fields.items():
        one.initial = one.widget.value_from_datadict(data, {}, name) or one.initial


def _has_panel(action: Action, forms: dict[str, Form]) -> bool:
    """True if the action has a form in the list below the conversation."""
    return bool(action.button) and action.name in forms


def _errors(form: Form | None) -> list[str]:
    return [str(text) for texts in form.errors.values() for text in texts] if form else []


def _preview(
    chosen: str, application: Application, by: User, forms: dict[str, Form]
) -> dict[str, Any]:
    """Return the preview of the chosen verdict; empty without one."""
    form, verdict = forms.get(chosen), ACTIONS.get(chosen)
    if verdict is None or verdict.compose is None or not isinstance(form, ActionForm):
        return {}
    form.is_valid()
    values = form.values()
    return preview.summary(verdict.compose(application, by, values), values)


# -- answers and documents --------------------------------------------------------------


def _answers(
    application: Application,
    snapshots: list[ApplicationSnapshot],
    remarks: list[Remark],
    return_form: Form | None,
) -> list[Answer]:
    """Return the last submitted answers, long ones first, with changes and remarks."""
    if not snapshots:
        return []
    latest = snapshots[-1].answers
    previous = snapshots[-2].answers if len(snapshots) > 1 else None
    custom_questions = {question.key: question for question in application.form.custom_questions}
    answers = []
    for key, label in application.form.labels().items():
        new = _text(key, latest, custom_questions.get(key))
        old = _text(key, previous or {}, custom_questions.get(key))
        if not new and not old:
            continue
        changed = previous is not None and new != old
        answers.append(
            Answer(
                key,
                label,
                new,
                changes=diff_words(old, new) if changed else [],
                remarks=[one for one in remarks if one.field == key],
                remark_field=return_form[REMARK + key] if return_form else None,
            )
        )
    return sorted(answers, key=lambda one: LONG.index(one.key) if one.key in LONG else len(LONG))


def _text(key: str, answers: dict[str, Any], question: CustomQuestion | None) -> str:
    value = answers.get(key)
    return "" if value in (None, "", []) else readable(key, value, question)


def _documents(
    application: Application, snapshots: list[ApplicationSnapshot]
) -> list[tuple[str, Attachment, bool]]:
    """Return (question, document, is in the last submission) for every submitted document.

    Staff do not see documents that were never submitted.
    """
    submitted = [_document_ids(snapshot.answers) for snapshot in snapshots]
    labels = application.form.labels()
    return [
        (labels.get(one.question, ""), one, str(one.public_id) in submitted[-1])
        for one in application.attachments.all()
        if any(str(one.public_id) in ids for ids in submitted)
    ]


def _document_ids(answers: dict[str, Any]) -> set[str]:
    """Return the ids of the documents in these answers."""
    return {
        str(document.get("id"))
        for value in answers.values()
        if isinstance(value, list)
        for document in value
        if isinstance(document, dict)
    }
