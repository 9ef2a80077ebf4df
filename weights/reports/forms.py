"""The public report form, and the forms of triage."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError

from accounts.grants.models import Grant
from accounts.users.models import User
from accounts.web.form_fields import TextField
from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.known_issues.models import KnownIssue
from weights.publishing.models import File
from weights.reports.choices import MAX_TEXT_LENGTH, MIN_TEXT_LENGTH, Kind
from weights.reports.models import Report
from weights.reports.permissions import checkpoints_of, suspendable_by, triagers_of


class ReportForm(forms.Form):
    """The public form; `person` determines which checkpoints may be named."""

    kind = forms.ChoiceField(
        label="What you report", choices=Kind.choices, widget=forms.RadioSelect
    )
    checkpoint = forms.CharField(
        required=False,
        max_length=193,
        help_text="As organisation/name. Leave this empty if no checkpoint is concerned.",
    )
    path = forms.CharField(
        label="File", required=False, max_length=1024, help_text="If it is about one file."
    )
    text = TextField(
        label="What happened",
        min_length=MIN_TEXT_LENGTH,
        max_length=MAX_TEXT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 9}),
        help_text=f"What you observed, where, and how we can reproduce it. {MIN_TEXT_LENGTH} to "
        f"{MAX_TEXT_LENGTH:,} characters. Leave out passwords and tokens.",
    )
    contact = forms.EmailField(
        label="Your e-mail address",
        required=False,
        max_length=254,
        help_text="For a receipt and an answer by mail. Staff who handle the report can see it.",
    )
    #: A honeypot: hidden from people, filled in by bots.
    website = forms.CharField(required=False, widget=forms.TextInput(attrs={"tabindex": "-1"}))

    def __init__(self, *args: Any, person: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        self.fields["website"].widget.attrs["autocomplete"] = "off"

    def clean_website(self) -> str:
        if self.cleaned_data["website"]:
            raise ValidationError("Leave this field empty.")
        return ""

    def clean_checkpoint(self) -> Checkpoint | None:
        name = self.cleaned_data["checkpoint"].strip().strip("/")
        if not name:
            return None
        checkpoint = Checkpoint.objects.visible_to(self.person).by_repo_id(name)
        if checkpoint is None:
            raise ValidationError("There is no checkpoint with this name.")
        return checkpoint

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        path, checkpoint = cleaned.get("path", ""), cleaned.get("checkpoint")
        if cleaned.get("kind") == Kind.BAD_FILE and "checkpoint" in cleaned and not checkpoint:
            self.add_error("checkpoint", "Enter the checkpoint that contains the file.")
        elif path and checkpoint and not _has_file(checkpoint, path):
            self.add_error("path", f"{checkpoint} has no file with this name.")
        return cleaned


def _has_file(checkpoint: Checkpoint, path: str) -> bool:
    files = File.objects.filter(revision__checkpoint=checkpoint, revision__state="visible")
    return is_storable(path) and files.filter(path=path).exists()


# -- triage ----------------------------------------------------------------------------------------


class AssignForm(forms.Form):
    to = forms.ModelChoiceField(queryset=User.objects.none(), label="Assignee")

    def __init__(self, *args: Any, report: Report, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [person.pk for person in triagers_of(report)]
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = User.objects.filter(pk__in=people).order_by("username")


class NoteForm(forms.Form):
    text = forms.CharField(max_length=5000, widget=forms.Textarea(attrs={"rows": 3}))


class DismissForm(forms.Form):
    answer = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Mailed to the reporter",
    )


class SuspendForm(forms.Form):
    grant = forms.ModelChoiceField(
        queryset=Grant.objects.none(), help_text="Active grants of the tier, by name of the holder"
    )
    reason = forms.CharField(
        min_length=5,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Mailed to the holder",
    )
    until = forms.SplitDateTimeField(
        label="Ends automatically",
        required=False,
        widget=AdminSplitDateTime,
        help_text="In UTC. Leave empty to suspend until somebody resumes the grant",
    )

    def __init__(self, *args: Any, report: Report, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["grant"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = suspendable_by(by, report)


class PublishForm(forms.Form):
    kind = forms.ChoiceField(choices=KnownIssue.Kind.choices)
    checkpoint = forms.ModelChoiceField(
        queryset=Checkpoint.objects.none(),
        required=False,
        help_text="Required if the report names none",
    )
    title = forms.CharField(min_length=10, max_length=200)
    text = forms.CharField(min_length=20, max_length=5000, widget=forms.Textarea(attrs={"rows": 6}))

    def __init__(self, *args: Any, report: Report, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["checkpoint"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = checkpoints_of(by)


class RecallForm(forms.Form):
    reason = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What should be recalled, and why; mailed to the release owners",
    )
