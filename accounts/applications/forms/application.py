"""The form of an application: the standard questions and the custom questions of its tier."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_countries import countries

from accounts.applications import free_mail
from accounts.applications.custom_questions import (
    CustomQuestion,
    Kind,
    applicable,
    hardware_text,
    is_hardware_list,
)
from accounts.applications.forms.custom_fields import build_field
from accounts.applications.questions import LABELS, ORG_TYPES, POSITIONS
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users import orcid
from accounts.users.models import User
from accounts.web.form_fields import choice, long_text, text
from accounts.web.sanitize import form_text

#: Characters of an answer that a draft stores; submissions allow far fewer.
MAX_DRAFT_LENGTH = 20_000
#: Ticked choices of a question that a draft stores.
MAX_DRAFT_CHOICES = 100

ABSTRACT_HELP = (
    "Name the question, the method, and what you will do with the weights: which parts of the "
    "model you will examine, with which data, and what you expect to publish."
)
LICENCE_CHANGED = "The licence has changed since you read it; read the new text."
_ADDRESS = re.compile(r"@|://|www\.", re.IGNORECASE)
_NO_ORGANISATION = frozenset({"none", "n/a", "-", "no", "independent"})


class ApplicationForm(forms.Form):
    """Validates stored answers for submission.

    `documents` maps the key of a question to the number of its documents. A `linked_orcid` replaces
    the profile.
    """

    use_required_attribute = False  # an incomplete draft may be saved

    full_name = text("Full name", 3, 120, help_text="As it appears on your publications.")
    work_email = forms.ChoiceField(
        label="Work e-mail", help_text="One of your confirmed addresses. We will contact you there."
    )
    org_name = text("Organisation", 2, 200, help_text="Write “none” if you work independently.")
    org_type = choice("Kind of organisation", ORG_TYPES)
    position = choice("Position", POSITIONS)
    country = choice("Country of work", {})
    profile_url = forms.URLField(
        label="Public profile",
        assume_scheme="https",
        max_length=500,
        required=False,
        help_text="A page that names you and your work, such as your institution's or ORCID. "
        "It begins with https://",
    )
    title = text("Project title", 10, 200)
    abstract = long_text(
        "What will be studied and how", 150, 5000, rows=10, help_text=ABSTRACT_HELP
    )
    commercial = forms.ChoiceField(
        label="Any commercial interest in the results?",
        choices=[("no", "No"), ("yes", "Yes")],
        widget=forms.RadioSelect,
        help_text="Answering yes does not rule you out; we ask for details.",
    )
    commercial_detail = long_text("If yes, what is the interest?", 50, 2000, rows=4, required=False)
    storage_plan = long_text(
        "Where the weights are kept, who can read them, how they are deleted",
        80,
        3000,
        rows=6,
        help_text="Machines, accounts with access, and what happens to the files at the end.",
    )
    noncommercial = forms.BooleanField(
        label="I will use the weights for research only, with no commercial or production use."
    )
    licence_accept = forms.BooleanField(
        label="I have read and accept the licence above, with its prohibited uses and its limits "
        "on passing the weights on. I will report a leak within 72 hours. I agree that reviewers "
        "may read these answers. If I act for an organisation, I am authorised to accept for it."
    )

    def __init__(
        self,
        answers: Mapping[str, Any],
        *,
        person: User,
        tier: Tier,
        licence: LicenceVersion | None,
        custom_questions: Iterable[CustomQuestion] = (),
        documents: Mapping[str, int] | None = None,
        linked_orcid: str = "",
    ) -> None:
        super().__init__(_form_data(answers))
        self.answers, self.tier, self.licence = answers, tier, licence
        self.linked_orcid, self.documents = linked_orcid, documents or {}
        self.custom_questions = {question.key: question for question in custom_questions}
        for key, question in self.custom_questions.items():
            self.fields[key] = build_field(question)
        addresses = person.confirmed_addresses()
        self._choices("work_email", [(address, address) for address in addresses])
        self._choices("country", [("", "Choose…"), *countries])
        for field in self.fields.values():
            # Django's message would repeat the value, however long it is.
            field.error_messages["invalid_choice"] = "Choose one of the options."
        # Required under a condition, so not marked as optional.
        for key in ("commercial_detail", "profile_url"):
            self.fields[key].asked = key != "profile_url" or not linked_orcid  # type: ignore[attr-defined]
        self.fields["full_name"].widget.attrs["autocomplete"] = "name"
        self.fields["org_name"].widget.attrs |= {
            "autocomplete": "organization",
            "list": "organisations",
        }
        self.fields["country"].widget.attrs["autocomplete"] = "country"

    def _choices(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def draft_answers(self, data: Any, keys: Iterable[str]) -> dict[str, Any]:
        """Return the posted answers to these questions, normalised but not validated.

        Empty answers and documents are left out.
        """
        answers = {
            key: self._with_scheme(key, _draft_value(self._posted(data, key)))
            for key in keys
            if not getattr(self.fields[key], "is_document", False)
        }
        return {key: value for key, value in answers.items() if value not in ("", [], False)}

    def _with_scheme(self, key: str, value: Any) -> Any:
        """Return a valid URL as the form cleans it, for example with `https://` added."""
        field = self.fields[key]
        if not isinstance(field, forms.URLField) or not isinstance(value, str):
            return value
        try:
            return field.clean(value)
        except ValidationError:
            return value

    def truncated(self, data: Any, keys: Iterable[str]) -> list[str]:
        """Return the `keys` whose posted text is too long for a draft."""
        posted = {key: self._posted(data, key) for key in keys}
        return [
            key
            for key, value in posted.items()
            if isinstance(value, str) and len(form_text(value)) > MAX_DRAFT_LENGTH
        ]

    def _posted(self, data: Any, key: str) -> Any:
        return self.fields[key].widget.value_from_datadict(data, {}, key)

    def submitted_answers(self) -> dict[str, Any]:
        """Return a valid form's answers for a snapshot, only those to questions that apply."""
        answers = {key: self.answers[key] for key in LABELS if key in self.answers}
        for question in self._applicable_questions():
            value = _json_value(self.cleaned_data.get(question.key))
            if value not in (None, "", []):
                answers[question.key] = value
        return answers

    def _applicable_questions(self) -> list[CustomQuestion]:
        return applicable(self.custom_questions.values(), dict(self.answers))

    # -- validation ----------------------------------------------------------------------

    def clean_full_name(self) -> str:
        name: str = self.cleaned_data["full_name"]
        if _ADDRESS.search(name):
            raise ValidationError("Write your name, not an address.")
        if not any(character.isalpha() for character in name):
            raise ValidationError("Your name must contain at least one letter.")
        return name

    def clean_profile_url(self) -> str:
        address: str = self.cleaned_data["profile_url"]
        if address and not address.lower().startswith("https://"):
            raise ValidationError("The address must begin with https://")
        orcid_id = orcid.id_in_url(address)
        if orcid_id is not None and not orcid.is_valid(orcid_id):
            raise ValidationError(
                "This is not a valid ORCID iD: its check digit is wrong. Copy it again."
            )
        return address

    def clean_abstract(self) -> str:
        abstract: str = self.cleaned_data["abstract"]
        matcher = SequenceMatcher(None, ABSTRACT_HELP, abstract, autojunk=False)
        # The quick ratios are upper bounds, so most texts skip the slow comparison.
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) > 0.6 and matcher.ratio() > 0.6:
            raise ValidationError("Describe your own project; this repeats the help text.")
        return abstract

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"]
        if name := self.tier.excluded_countries.get(country):
            raise ValidationError(
                f"The licence excludes work in {name}; an application from "
                "there cannot be approved."
            )
        return country

    def clean_licence_accept(self) -> bool:
        in_force = self.licence.text_sha256 if self.licence else None
        if self.answers.get("licence_sha256") != in_force:
            raise ValidationError(LICENCE_CHANGED)
        return bool(self.cleaned_data["licence_accept"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._check_organisation(cleaned)
        self._check_profile(cleaned)
        missing = not cleaned.get("commercial_detail") and "commercial_detail" not in self.errors
        if cleaned.get("commercial") == "yes" and missing:
            self.add_error("commercial_detail", "Describe the commercial interest.")
        self._check_custom_questions()
        return cleaned

    def _check_organisation(self, cleaned: dict[str, Any]) -> None:
        none = str(cleaned.get("org_name", "")).lower() in _NO_ORGANISATION
        if none and cleaned.get("org_type") not in {"independent", None}:
            self.add_error("org_name", "Name the organisation, or choose Independent.")

    def _check_profile(self, cleaned: dict[str, Any]) -> None:
        """Require a profile or a linked ORCID iD, by which reviewers identify the applicant."""
        if cleaned.get("profile_url") or self.linked_orcid or "profile_url" in self.errors:
            return
        message = "This field is required: reviewers use it to verify who you are."
        if free_mail.is_free(str(cleaned.get("work_email", ""))):
            message = "This field is required if you use a free e-mail service."
        self.add_error("profile_url", message)

    def _check_custom_questions(self) -> None:
        keys = {question.key for question in self._applicable_questions()}
        for key, question in self.custom_questions.items():
            if key not in keys:
                self.errors.pop(key, None)
            elif question.required and key not in self.errors and not self._has_answer(question):
                self.add_error(key, "This field is required.")

    def _has_answer(self, question: CustomQuestion) -> bool:
        if question.kind == Kind.FILE:
            return self.documents.get(question.key, 0) > 0
        return self.cleaned_data.get(question.key) not in (None, "", [], False)


class CountryForm(forms.Form):
    """Asks for the country first, to prevent applications that cannot be approved."""

    use_required_attribute = False

    country = forms.ChoiceField(label="Country of work", choices=[("", "Choose…"), *countries])

    def __init__(self, *args: Any, tier: Tier, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tier = tier
        self.fields["country"].widget.attrs["autocomplete"] = "country"

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"]
        if name := self.tier.excluded_countries.get(country):
            raise ValidationError(
                f"The licence excludes work in {name}; an application from "
                "there cannot be approved, so we do not ask you to fill one in."
            )
        return country


def _form_data(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Convert stored answers to form data: hardware becomes text again."""
    return {
        key: hardware_text(value) if value and is_hardware_list(value) else value
        for key, value in answers.items()
    }


def _draft_value(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if value and is_hardware_list(value):
        return hardware_text(value)[:MAX_DRAFT_LENGTH]
    if isinstance(value, list):
        return [form_text(str(one))[:500] for one in value[:MAX_DRAFT_CHOICES]]
    return form_text("" if value is None else str(value))[:MAX_DRAFT_LENGTH]


def _json_value(value: Any) -> Any:
    """Convert a cleaned value to a JSON type."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
