"""What a reviewer fills in beside each button."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.questions import LABELS
from accounts.reasons import NOTE_LEAST, allowed_for


class ActionForm(forms.Form):
    """A button, and what is filled in beside it."""

    def values(self) -> dict[str, Any]:
        """What the model's method takes, once the form is valid."""
        return dict(self.cleaned_data)


class NoForm(ActionForm):
    """A button alone."""


class ApproveForm(ActionForm):
    days = forms.IntegerField(
        label="Days of access", min_value=1, max_value=3660, help_text="From today"
    )
    internal_note = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Seen by staff only"
    )

    def values(self) -> dict[str, Any]:
        return {
            "until": timezone.now() + timedelta(days=self.cleaned_data["days"]),
            "internal_note": self.cleaned_data["internal_note"],
        }


class _VerdictForm(ActionForm):
    """Reasons, the note that the applicant reads, and the one that staff read."""

    reasons = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    note = forms.CharField(
        label="Note to the applicant", required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    internal_note = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Seen by staff only"
    )
    move = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reasons"].choices = allowed_for(self.move)  # type: ignore[attr-defined]


class ReturnForm(_VerdictForm):
    move = "return"

    field = forms.ChoiceField(label="What should change", choices=list(LABELS.items()))
    remark = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="Shown beside that answer"
    )

    def values(self) -> dict[str, Any]:
        values = super().values()
        values["remarks"] = {values.pop("field"): values.pop("remark")}
        return values


class RejectForm(_VerdictForm):
    move = "reject"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        least = NOTE_LEAST["reject"]
        self.fields["note"].required = True
        self.fields["note"].help_text = f"At least {least} characters; mailed as it stands"


class ReopenForm(ActionForm):
    reason = forms.CharField(
        min_length=5,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Mailed to the applicant as it stands, and kept in the audit trail",
    )
