"""The forms of the review page, one for each action.

The three verdicts share one HTML form, so that a note typed for one verdict is not lost when
another is chosen; each class reads its own fields of the POST data.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.workflow.verdicts import Verdict
from accounts.errors import InvalidValue, NotFound
from accounts.mail.models import OutgoingMail
from accounts.review import checklist
from accounts.review.models import ReasonText
from accounts.review.reasons import MIN_NOTE_LENGTH, choices_for, validate_reasons
from accounts.review.working_days import end_of_day, utc_date
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS

if TYPE_CHECKING:
    from accounts.users.models import User

MAX_DAYS = 3660
CHECK, REMARK = "check_", "remark_"


class ActionForm(forms.Form):
    """The form of one action by reviewer `by` on `application`."""

    def __init__(self, *args: Any, application: Application, by: "User", **kwargs: Any) -> None:
        self.application = application
        self.by = by
        #: What an approval would leave open, once the service has required confirmation.
        self.open_points: list[str] = []
        super().__init__(*args, **kwargs)

    def values(self) -> dict[str, Any]:
        """Return the arguments for the action's service from a valid form. Raises NotFound."""
        return dict(self.cleaned_data)


class NoForm(ActionForm):
    """A button without fields."""


def _text(label: str, rows: int = 2, **kwargs: Any) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": rows, "dir": "auto"})
    return forms.CharField(label=label, widget=area, **kwargs)


# -- the three verdicts -----------------------------------------------------------------


class VerdictForm(ActionForm):
    """A note to the applicant, a note to staff, and the checklist."""

    note = _text("Note to the applicant", rows=3, required=False)
    internal_note = _text("Note to staff", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for key, question in checklist.QUESTIONS.items():
            self.fields[CHECK + key] = forms.ChoiceField(
                label=question,
                choices=list(checklist.ANSWERS.items()),
                required=False,
                widget=forms.RadioSelect,
            )

    def values(self) -> dict[str, Any]:
        """Leave out invalid fields, so that the rest can be previewed."""
        cleaned = self.cleaned_data
        return {
            "note": cleaned.get("note", ""),
            "internal_note": cleaned.get("internal_note", ""),
            "checklist": {
                key: answer for key in checklist.QUESTIONS if (answer := cleaned.get(CHECK + key))
            },
        }


class ApproveForm(VerdictForm):
    days = forms.IntegerField(label="Days of access", min_value=1, max_value=MAX_DAYS)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].initial = self.default_days()

    def default_days(self) -> int:
        """Return the days that the first of two reviewers chose, or else the tier's term."""
        first = self.application.first_approval
        if first is None or first.until is None:
            return self.application.tier.term_days
        return _days_until(first.until)

    def values(self) -> dict[str, Any]:
        days = self.cleaned_data.get("days") or self.default_days()
        confirmed = bool(self.cleaned_data.get("confirmed"))
        return {**super().values(), "until": end_of_day(days), "confirmed": confirmed}


def _days_until(moment: datetime) -> int:
    return max(1, (utc_date(moment) - utc_date(timezone.now())).days)


class _ReasonedForm(VerdictForm):
    verdict = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        texts = ReasonText.objects.current()
        self.fields[f"{self.verdict}_reasons"] = forms.MultipleChoiceField(
            label="Reasons",
            choices=[(code, texts[code][0]) for code, _ in choices_for(self.verdict)],
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": "Choose at least one reason."},
        )

    def values(self) -> dict[str, Any]:
        return {**super().values(), "reasons": self.cleaned_data.get(f"{self.verdict}_reasons", [])}

    def clean(self) -> dict[str, Any]:
        """Add the error that the decision would raise, so that the preview shows it."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                validate_reasons(
                    self.verdict, cleaned[f"{self.verdict}_reasons"], cleaned.get("note", "")
                )
            except InvalidValue as error:
                text = str(error)
                self.add_error(None, f"{text[:1].upper()}{text[1:]}.")
        return cleaned


class ReturnForm(_ReasonedForm):
    """Has a field for a remark on each answer."""

    verdict = "return"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for key, label in self.application.form.labels().items():
            self.fields[REMARK + key] = _text(f"Remark on “{label}”", rows=1, required=False)

    def values(self) -> dict[str, Any]:
        remarks = {
            name.removeprefix(REMARK): text
            for name, text in self.cleaned_data.items()
            if name.startswith(REMARK) and text
        }
        return {**super().values(), "remarks": remarks}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not any(text for name, text in cleaned.items() if name.startswith(REMARK)):
            self.add_error(None, "Write beside an answer what should change.")
        return cleaned


class RejectForm(_ReasonedForm):
    verdict = "reject"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        minimum = MIN_NOTE_LENGTH["reject"]
        self.fields["note"] = _text("Note to the applicant", rows=3, min_length=minimum)
        message = f"The note to the applicant needs at least {minimum} characters."
        self.fields["note"].error_messages |= {"required": message, "min_length": message}


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """Return form data that reproduces the verdict."""
    return {
        "note": verdict.note,
        "internal_note": verdict.internal_note,
        f"{verdict.name}_reasons": verdict.reasons,
        **{CHECK + key: answer for key, answer in verdict.checklist.items()},
        **{REMARK + key: text for key, text in verdict.remarks.items()},
        **({"days": _days_until(verdict.until)} if verdict.until else {}),
    }


# -- conversation and claims ------------------------------------------------------------


class PersonField(forms.ModelChoiceField):
    def label_from_instance(self, person: Any) -> str:
        return str(person.display_name)


class _ReviewerForm(ActionForm):
    """Offers the other people who may decide the application."""

    person_field = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields[self.person_field]
        people.queryset = self.reviewers()

    def reviewers(self) -> QuerySet["User"]:
        """Return the tier's reviewers by username, except the applicant and people in conflict."""
        application = self.application
        deciders = RoleAssignment.objects.filter(role__in=DECIDERS).for_tier(application.tier)
        people = deciders.active_staff().exclude(pk=application.applicant_id)
        people = people.exclude(pk__in=application.conflicts.values("reviewer"))
        return people.order_by("username")


class AskForm(_ReviewerForm):
    person_field = "colleague"

    colleague = PersonField(queryset=None, empty_label="Choose a colleague")
    question = _text("Question")

    def reviewers(self) -> QuerySet["User"]:
        return super().reviewers().exclude(pk=self.by.pk)


class AssignForm(_ReviewerForm):
    person_field = "to"

    to = PersonField(queryset=None, label="Reviewer", empty_label="Choose a reviewer")


def _find(records: QuerySet[Any], noun: str, **lookup: Any) -> Any:
    record = records.filter(**lookup).first()
    if record is None:
        raise NotFound(f"there is no such {noun}")
    return record


class AnswerForm(ActionForm):
    consultation = forms.IntegerField(widget=forms.HiddenInput)
    text = _text("Answer")

    def values(self) -> dict[str, Any]:
        questions = self.application.consultations.all()
        consultation = _find(questions, "question", pk=self.cleaned_data["consultation"])
        return {"consultation": consultation, "text": self.cleaned_data["text"]}


class RemarkForm(ActionForm):
    field = forms.ChoiceField(label="About", required=False)
    text = _text("Remark")
    public = forms.BooleanField(label="The applicant reads it, and is mailed", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = self.application.form.labels()
        self.fields["field"].choices = [("", "The whole"), *labels.items()]  # type: ignore[attr-defined]


class SettleForm(ActionForm):
    remark = forms.IntegerField(widget=forms.HiddenInput)
    done = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def values(self) -> dict[str, Any]:
        remarks = self.application.remarks.all()
        remark = _find(remarks, "remark", pk=self.cleaned_data["remark"])
        return {"remark": remark, "done": self.cleaned_data["done"]}


class MailForm(ActionForm):
    mail = forms.UUIDField(widget=forms.HiddenInput)

    def values(self) -> dict[str, Any]:
        mails = OutgoingMail.objects.all()
        return {"mail": _find(mails, "mail", public_id=self.cleaned_data["mail"])}


class ConflictForm(ActionForm):
    reason = forms.CharField(label="What it is", max_length=500)


class ReopenForm(ActionForm):
    reason = forms.CharField(
        min_length=5,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Mailed unchanged to the applicant and stored in the audit trail",
    )
