"""The forms of the owner's pages."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts import reasons
from accounts.errors import InvalidValue
from accounts.tiers.models import Tier
from accounts.web.form_fields import TextField
from accounts.web.sanitize import is_storable
from weights.catalogue import front_matter, licences
from weights.catalogue.models import Checkpoint
from weights.errors import PublishRefused
from weights.owner_pages import card_text
from weights.owner_pages.refusals import sentence_of
from weights.publishing.drafts.commits import MOST_MESSAGE

_CARD_HELP = (
    "Markdown, with tables, formulas and code. Front matter between two lines of --- is read as on "
    "the Hub: license, tags, library_name, pipeline_tag."
)


class _CardField(forms.CharField):
    """A card's text; converts the line breaks that browsers send."""

    def __init__(self, **kwargs: Any) -> None:
        area = forms.Textarea(attrs={"rows": 24, "dir": "auto", "spellcheck": "true"})
        super().__init__(label="Card", strip=False, widget=area, help_text=_CARD_HELP, **kwargs)

    def clean(self, value: Any) -> str:
        text = str(super().clean(value)).replace("\r\n", "\n")
        if not text:
            return ""
        if not is_storable(text):
            raise ValidationError("The card contains a character that cannot be stored.")
        try:
            return card_text.checked(text)
        except InvalidValue as error:
            raise ValidationError(str(error)) from error


class CreateForm(forms.Form):
    org = forms.CharField(label="Organisation", max_length=96, help_text="As in ORG/NAME.")
    name = forms.CharField(
        label="Name", max_length=96, help_text="Letters, digits, and . _ - between them."
    )
    tier = forms.ModelChoiceField(
        queryset=Tier.objects.none(),
        to_field_name="slug",
        help_text="Who may fetch it once it is published. The strictest one comes first.",
    )
    licence = forms.CharField(
        label="Licence",
        required=False,
        max_length=60,
        help_text="An identifier such as apache-2.0, written into the card. Leave it empty in a "
        "gated tier, whose licence applies.",
    )
    card = _CardField(required=False)

    def __init__(self, *args: Any, tiers: list[Tier], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["tier"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Tier.objects.filter(pk__in=[tier.pk for tier in tiers])
        field.widget.choices = [(tier.slug, tier.name) for tier in tiers]
        self.fields["card"].widget.attrs["rows"] = 10
        # With maxlength, browsers would silently cut a longer name, and create a wrong checkpoint.
        for name in ("org", "name"):
            del self.fields[name].widget.attrs["maxlength"]

    def clean_licence(self) -> str:
        licence: str = self.cleaned_data["licence"].strip()
        if licence and not card_text.LICENCE.fullmatch(licence):
            raise ValidationError(
                "Enter an identifier such as apache-2.0; for another licence, add license: other "
                "with license_name and license_link to the card."
            )
        return licence

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if {"licence", "card", "name"} <= cleaned.keys() and (
            cleaned["licence"] or cleaned["card"]
        ):
            card = cleaned["card"] or f"# {cleaned['name']}\n"
            try:
                cleaned["card"] = card_text.with_licence(card, cleaned["licence"])
            except InvalidValue as error:
                self.add_error("licence", str(error))
            else:
                self._check_licence(cleaned)
        return cleaned

    def _check_licence(self, cleaned: dict[str, Any]) -> None:
        """Refuse a licence that would prevent the draft's publication in the tier."""
        stated = licences.from_card(front_matter.split(cleaned["card"]).values)
        try:
            if "tier" in cleaned:
                licences.check(cleaned["tier"], stated)
        except PublishRefused as error:
            self.add_error("licence" if cleaned["licence"] else "card", sentence_of(error))


class CardForm(forms.Form):
    card = _CardField()
    message = TextField(
        label="What you changed",
        required=False,
        max_length=MOST_MESSAGE,
        help_text="Shown on the Versions tab once it is published.",
    )
    parent = forms.RegexField(r"[0-9a-f]{40}|", required=False, widget=forms.HiddenInput)


class DescriptionForm(forms.ModelForm):
    class Meta:
        model = Checkpoint
        fields = ("title", "summary")


class TagForm(forms.Form):
    tag = forms.CharField(max_length=200, help_text="Such as v1.0. A tag never moves.")
    revision = forms.ChoiceField()

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["revision"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


class PublishForm(forms.Form):
    PUBLIC, EMBARGO, PRIVATE = "public", "embargo", "private"

    notes = TextField(
        label="Release notes",
        required=False,
        max_length=MOST_MESSAGE,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="The first line is the title on the Versions tab and in the feed.",
    )
    audience = forms.ChoiceField(
        label="Who sees it",
        widget=forms.RadioSelect,
        initial=PUBLIC,
        choices=[
            (PUBLIC, "Everyone, as soon as it is verified"),
            (EMBARGO, "Everyone, from a date on; until then only the tier's staff"),
            (PRIVATE, "Only the tier's staff, until it is made public"),
        ],
    )
    embargo_until = forms.DateTimeField(
        label="Embargo until",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Date and time in UTC.",
    )
    reason = TextField(
        label="Reason for a second person",
        required=False,
        max_length=500,
        help_text="For those who must confirm, if the draft has files of a stricter tier.",
    )
    accept_findings = forms.BooleanField(
        label="Publish although the automatic checks found errors", required=False
    )

    def __init__(
        self, *args: Any, is_first: bool, has_errors: bool, asks_second: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if not is_first:
            del self.fields["audience"], self.fields["embargo_until"]
        if not has_errors:
            del self.fields["accept_findings"]
        if not asks_second:
            del self.fields["reason"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        until: datetime | None = cleaned.get("embargo_until")
        if cleaned.get("audience") != self.EMBARGO:
            cleaned["embargo_until"] = None
        elif "embargo_until" in cleaned and (until is None or until <= timezone.now()):
            self.add_error("embargo_until", "Enter a date in the future.")
        return cleaned

    def choices(self) -> dict[str, Any]:
        """The arguments of `publish_draft`."""
        cleaned = self.cleaned_data
        found: dict[str, Any] = {
            "reason": cleaned.get("reason", ""),
            "accept_findings": cleaned.get("accept_findings", False),
        }
        if "audience" in self.fields:
            found["private"] = cleaned["audience"] == self.PRIVATE
            found["embargo_until"] = cleaned["embargo_until"]
        return found


class WithdrawForm(forms.Form):
    reason = TextField(
        label="Reason",
        min_length=reasons.LEAST,
        max_length=reasons.MOST,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Public: the pages of the revision show it.",
    )
    recall = forms.BooleanField(
        label="Recall: email this reason once to everyone who downloaded one of its files",
        required=False,
    )
