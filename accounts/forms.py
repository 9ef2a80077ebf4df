"""What people type: the application of form version 1, and a new token."""

import re
import unicodedata
from difflib import SequenceMatcher
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MinLengthValidator
from django_countries import countries

from accounts.models import LicenceVersion, Tier, User
from accounts.models.token import MOST_DAYS, Scope
from accounts.questions import LABELS, ORG_TYPES, POSITIONS

#: Characters of one answer that a draft keeps; far above what a submission may hold.
KEPT = 20_000

ABSTRACT_HELP = (
    "Name the question, the method, and what you will do with the weights: which parts of the "
    "model you look at, on which data, and what you expect to publish. 150 to 5,000 characters."
)
_TOO_SHORT = "Write at least %(limit_value)d characters; so far there are %(show_value)d."
_TOO_LONG = "Write at most %(limit_value)d characters; now there are %(show_value)d."
_ADDRESS = re.compile(r"@|://|www\.", re.IGNORECASE)
_NO_ORGANISATION = frozenset({"none", "n/a", "-", "no", "independent"})
_REPO_ID = re.compile(r"[A-Za-z0-9_.-]{1,96}/[A-Za-z0-9_.-]{1,96}")


def normal(text: str) -> str:
    """Text as it is counted and kept: Unicode NFC, one kind of line end, trimmed."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()


def excluded(tier: Tier) -> dict[str, str]:
    """The countries from which nobody may get this tier: code -> name."""
    codes = [str(country) for country in tier.blocked_countries]
    return {code: countries.name(code) for code in codes}


class TextField(forms.CharField):
    """Text whose length counts after normalisation; the browser cuts nothing off."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for bound in self.validators:
            if isinstance(bound, MinLengthValidator):
                bound.message = _TOO_SHORT
            elif isinstance(bound, MaxLengthValidator):
                bound.message = _TOO_LONG

    def to_python(self, value: Any) -> str:
        return normal(super().to_python(value) or "")

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {}


def _text(label: str, least: int, most: int, **extra: Any) -> TextField:
    return TextField(label=label, min_length=least, max_length=most, **extra)


def _long(label: str, least: int, most: int, rows: int = 8, **extra: Any) -> TextField:
    return _text(label, least, most, widget=forms.Textarea({"rows": rows}), **extra)


def _choice(label: str, choices: dict[str, str], **extra: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", "Choose…"), *choices.items()], **extra)


class ApplicationForm(forms.Form):
    """The thirteen inputs of application-workflow.md section 2. Strict: for submitting.

    `typed()` gives what a draft keeps, valid or not.
    """

    use_required_attribute = False  # a draft may be sent with gaps

    SECTIONS = [
        ("You", "full_name work_email org_name org_type position country profile_url"),
        ("Project", "title abstract commercial commercial_detail"),
        ("Plan", "storage_plan"),
    ]

    full_name = _text("Full name", 3, 120, help_text="As it stands on your publications.")
    work_email = forms.ChoiceField(
        label="Work e-mail", help_text="One of your confirmed addresses. We write to it."
    )
    org_name = _text("Organisation", 2, 200, help_text="Write “none” if you work independently.")
    org_type = _choice("Kind of organisation", ORG_TYPES)
    position = _choice("Position", POSITIONS)
    country = _choice("Country of work", {})
    profile_url = forms.URLField(
        label="Public profile",
        assume_scheme="https",
        max_length=500,
        help_text="A page that names you and your work, such as your institution's or ORCID. "
        "It begins with https://",
    )
    title = _text("Project title", 10, 200)
    abstract = _long("What will be studied and how", 150, 5000, rows=10, help_text=ABSTRACT_HELP)
    commercial = forms.ChoiceField(
        label="Any commercial interest in the results?",
        choices=[("no", "No"), ("yes", "Yes")],
        widget=forms.RadioSelect,
        help_text="Yes rejects nothing by itself; we ask what it is.",
    )
    commercial_detail = _long("If yes: what is the interest?", 50, 2000, rows=4, required=False)
    storage_plan = _long(
        "Where the weights are kept, who can read them, how they are deleted",
        80,
        3000,
        rows=6,
        help_text="Machines, accounts with access, and what happens to the files at the end.",
    )
    noncommercial = forms.BooleanField(
        label="I use the weights for research only, with no commercial or production use."
    )
    licence_accept = forms.BooleanField(
        label="I have read and accept the licence above, with its prohibited uses and its limits "
        "on passing the weights on. I report a leak within 72 hours. I agree that reviewers read "
        "these answers. If I act for an organisation, I may accept for it."
    )
    licence_sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    seen_version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(
        self, *args: Any, person: User, tier: Tier, licence: LicenceVersion, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.tier, self.licence = tier, licence
        addresses = person.confirmed_addresses()
        self._choices("work_email", [(address, address) for address in addresses])
        self._choices("country", [("", "Choose…"), *countries])
        # A condition asks for it, so it is not marked as optional.
        self.fields["commercial_detail"].asked = True  # type: ignore[attr-defined]
        self.fields["full_name"].widget.attrs["autocomplete"] = "name"
        self.fields["org_name"].widget.attrs["autocomplete"] = "organization"
        self.fields["country"].widget.attrs["autocomplete"] = "country"

    def _choices(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def sections(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [(name, [self[key] for key in keys.split()]) for name, keys in self.SECTIONS]

    def typed(self) -> dict[str, Any]:
        """Every answer as it stands in the form, normalised, for a draft."""
        answers: dict[str, Any] = {}
        for key in LABELS:
            raw = self.fields[key].widget.value_from_datadict(self.data, self.files, key)
            answers[key] = raw if isinstance(raw, bool) else normal(str(raw or ""))[:KEPT]
        return {key: value for key, value in answers.items() if value != ""}

    def clean_full_name(self) -> str:
        name: str = self.cleaned_data["full_name"]
        if _ADDRESS.search(name):
            raise ValidationError("Write your name, not an address.")
        if not any(character.isalpha() for character in name):
            raise ValidationError("A name has at least one letter.")
        return name

    def clean_profile_url(self) -> str:
        address: str = self.cleaned_data["profile_url"]
        if not address.lower().startswith("https://"):
            raise ValidationError("The address must begin with https://")
        return address

    def clean_abstract(self) -> str:
        abstract: str = self.cleaned_data["abstract"]
        if SequenceMatcher(None, ABSTRACT_HELP, abstract, autojunk=False).ratio() > 0.6:
            raise ValidationError("Describe your own project; this repeats the help text.")
        return abstract

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"]
        if country in excluded(self.tier):
            raise ValidationError(
                f"The licence excludes work in {countries.name(country)}; an application from "
                "there cannot be approved."
            )
        return country

    def clean_licence_accept(self) -> bool:
        if self.data.get("licence_sha256") != self.licence.text_sha256:
            raise ValidationError("The licence has changed since you read it; read the new text.")
        return bool(self.cleaned_data["licence_accept"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        none = str(given.get("org_name", "")).lower() in _NO_ORGANISATION
        if none and given.get("org_type") not in {"independent", None}:
            self.add_error("org_name", "Name the organisation, or choose Independent.")
        silent = not given.get("commercial_detail") and "commercial_detail" not in self.errors
        if given.get("commercial") == "yes" and silent:
            self.add_error("commercial_detail", "Say what the commercial interest is.")
        return given


class TokenForm(forms.Form):
    """A new API token; which scopes are offered depends on the person."""

    use_required_attribute = False  # faults are named by the server, in one way

    name = TextField(
        label="Name", max_length=120, help_text="Where it will be used, such as “cluster”."
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do", choices=[], widget=forms.CheckboxSelectMultiple
    )
    repositories = TextField(
        label="Only these gated checkpoints",
        required=False,
        max_length=4000,
        widget=forms.Textarea({"rows": 2, "class": "short"}),
        help_text="One ORG/NAME a line. Empty: every checkpoint you hold access to.",
    )
    days = forms.IntegerField(
        label="Ends after (days)", min_value=1, max_value=MOST_DAYS, initial=90
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [Scope.READ, Scope.READ_GATED]
        if person.has_perm("weights.publish_checkpoint"):
            offered.append(Scope.WRITE)
        if person.has_perm("accounts.review_application"):
            offered.append(Scope.ADMIN)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(str(scope), f"{scope.label} ({scope})") for scope in offered]

    def clean_repositories(self) -> list[str]:
        names = str(self.cleaned_data["repositories"]).split()
        for name in names:
            if not _REPO_ID.fullmatch(name):
                raise ValidationError(f"{name[:100]} is not a checkpoint's name; write ORG/NAME.")
        return names
