"""What a reviewer fills in for each button of the review page.

The three verdicts share one form on the page, so that a note typed for one is not lost when
another is chosen: each class here reads its own part of what was posted.
"""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone

from accounts.applications.models import Application
from accounts.errors import InvalidValue
from accounts.review import checklist
from accounts.review.models import ReasonText
from accounts.review.reasons import NOTE_LEAST, allowed_for, demand_reasons
from accounts.review.working_days import day_of, end_of_day

if TYPE_CHECKING:
    from accounts.users.models import User

LONGEST_DAYS = 3660
CHECK, REMARK = "check_", "remark_"


class ActionForm(forms.Form):
    """A button, and what is filled in beside it."""

    def __init__(self, *args: Any, application: Application, by: "User", **kwargs: Any) -> None:
        self.application = application
        self.by = by
        super().__init__(*args, **kwargs)

    def values(self) -> dict[str, Any]:
        """What the model's method takes, once the form is valid."""
        return dict(self.cleaned_data)


class NoForm(ActionForm):
    """A button alone."""


def _text(label: str, rows: int = 2, **kwargs: Any) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": rows, "dir": "auto"})
    return forms.CharField(label=label, widget=area, **kwargs)


# -- the three verdicts -----------------------------------------------------------------


class VerdictForm(ActionForm):
    """What every verdict has: a note to the applicant, one to staff, and the checklist."""

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
        """Fields that did not hold are left out, so that a preview can be made of the rest."""
        said = self.cleaned_data
        return {
            "note": said.get("note", ""),
            "internal_note": said.get("internal_note", ""),
            "checklist": {
                key: said[CHECK + key] for key in checklist.QUESTIONS if said.get(CHECK + key)
            },
        }


class ApproveForm(VerdictForm):
    days = forms.IntegerField(label="Days of access", min_value=1, max_value=LONGEST_DAYS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].initial = self.usual_days()

    def usual_days(self) -> int:
        """The tier's term, or what the first of two reviewers chose."""
        first = self.application.first_approval
        if first is None or first.until is None:
            return self.application.tier.term_days
        return max(1, (day_of(first.until) - day_of(timezone.now())).days)

    def values(self) -> dict[str, Any]:
        days = self.cleaned_data.get("days") or self.usual_days()
        return {**super().values(), "until": end_of_day(days)}


class _ReasonedForm(VerdictForm):
    move = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = ReasonText.objects.current()
        self.fields[f"{self.move}_reasons"] = forms.MultipleChoiceField(
            label="Reasons",
            choices=[(code, words[code][0]) for code, _ in allowed_for(self.move)],
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": "Choose at least one reason."},
        )

    def values(self) -> dict[str, Any]:
        return {**super().values(), "reasons": self.cleaned_data.get(f"{self.move}_reasons", [])}

    def clean(self) -> dict[str, Any]:
        """Say already beside the preview what the decision would be refused for."""
        said = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                demand_reasons(self.move, said[f"{self.move}_reasons"], said.get("note", ""))
            except InvalidValue as error:
                text = str(error)
                self.add_error(None, f"{text[:1].upper()}{text[1:]}.")
        return said


class ReturnForm(_ReasonedForm):
    """Remarks stand beside the answers that they are about: a field each."""

    move = "return"

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
        said = super().clean() or self.cleaned_data
        if not any(text for name, text in said.items() if name.startswith(REMARK)):
            self.add_error(None, "Write at an answer what should change.")
        return said


class RejectForm(_ReasonedForm):
    move = "reject"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        least = NOTE_LEAST["reject"]
        self.fields["note"] = _text("Note to the applicant", rows=3, min_length=least)
        self.fields["note"].error_messages |= {
            "required": f"The note to the applicant needs at least {least} characters.",
            "min_length": f"The note to the applicant needs at least {least} characters.",
        }


# -- talk, and whose desk it is on --------------------------------------------------------


class _PersonField(forms.ModelChoiceField):
    def label_from_instance(self, person: Any) -> str:
        return str(person.display_name)


class AskForm(ActionForm):
    colleague = _PersonField(queryset=None, empty_label="Choose a colleague")
    question = _text("Question")

    def __init__(self, *args: Any, colleagues: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["colleague"]
        people.queryset = colleagues


class AssignForm(ActionForm):
    to = _PersonField(queryset=None, label="Reviewer", empty_label="Choose a reviewer")

    def __init__(self, *args: Any, colleagues: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["to"]
        people.queryset = colleagues


class AnswerForm(ActionForm):
    asked = forms.IntegerField(widget=forms.HiddenInput)
    text = _text("Answer")


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


class MailForm(ActionForm):
    mail = forms.UUIDField(widget=forms.HiddenInput)


class ConflictForm(ActionForm):
    reason = forms.CharField(label="What it is", max_length=500)


class ReopenForm(ActionForm):
    reason = forms.CharField(
        min_length=5,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Mailed to the applicant as it stands, and kept in the audit trail",
    )
