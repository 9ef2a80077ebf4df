"""The application: the thirteen questions of every one, and a tier's own."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_countries import countries

from accounts.applications import custom_questions, free_mail
from accounts.applications.custom_questions import Extra, Kind
from accounts.applications.forms.custom_fields import field_of
from accounts.applications.questions import LABELS, ORG_TYPES, POSITIONS
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users import orcid
from accounts.users.models import User
from accounts.web.form_fields import choice, long_text, text
from accounts.web.sanitize import form_text

#: Characters of one answer that a draft keeps; far above what a submission may hold.
KEPT = 20_000
#: Ticks of one question that a draft keeps.
KEPT_TICKS = 100

ABSTRACT_HELP = (
    "Name the question, the method, and what you will do with the weights: which parts of the "
    "model you look at, on which data, and what you expect to publish. 150 to 5,000 characters."
)
LICENCE_CHANGED = "The licence has changed since you read it; read the new text."
_ADDRESS = re.compile(r"@|://|www\.", re.IGNORECASE)
_NO_ORGANISATION = frozenset({"none", "n/a", "-", "no", "independent"})


class ApplicationForm(forms.Form):
    """Answers, judged as strictly as a submission is.

    It takes answers as an application keeps them. `documents` counts those sent for each
    question, `linked_orcid` is an iD that stands in for the profile.
    """

    use_required_attribute = False  # a draft may be sent with gaps

    full_name = text("Full name", 3, 120, help_text="As it stands on your publications.")
    work_email = forms.ChoiceField(
        label="Work e-mail", help_text="One of your confirmed addresses. We write to it."
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
        help_text="Yes rejects nothing by itself; we ask what it is.",
    )
    commercial_detail = long_text("If yes: what is the interest?", 50, 2000, rows=4, required=False)
    storage_plan = long_text(
        "Where the weights are kept, who can read them, how they are deleted",
        80,
        3000,
        rows=6,
        help_text="Machines, accounts with access, and what happens to the files at the end. "
        "80 to 3,000 characters.",
    )
    noncommercial = forms.BooleanField(
        label="I use the weights for research only, with no commercial or production use."
    )
    licence_accept = forms.BooleanField(
        label="I have read and accept the licence above, with its prohibited uses and its limits "
        "on passing the weights on. I report a leak within 72 hours. I agree that reviewers read "
        "these answers. If I act for an organisation, I may accept for it."
    )

    def __init__(
        self,
        answers: Mapping[str, Any],
        *,
        person: User,
        tier: Tier,
        licence: LicenceVersion | None,
        asked: Iterable[Extra] = (),
        documents: Mapping[str, int] | None = None,
        linked_orcid: str = "",
    ) -> None:
        super().__init__(_as_typed(answers))
        self.answers, self.tier, self.licence = answers, tier, licence
        self.linked_orcid, self.documents = linked_orcid, documents or {}
        self.extras = {extra.key: extra for extra in asked}
        for key, extra in self.extras.items():
            self.fields[key] = field_of(extra)
        addresses = person.confirmed_addresses()
        self._choices("work_email", [(address, address) for address in addresses])
        self._choices("country", [("", "Choose…"), *countries])
        for field in self.fields.values():
            # Django's own sentence says again what was sent, however long it is.
            field.error_messages["invalid_choice"] = "Choose among those that are offered."
        # Conditions ask for these, so they are not marked as optional.
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

    # -- what is kept ------------------------------------------------------------------

    def typed(self, data: Any, keys: Iterable[str]) -> dict[str, Any]:
        """What was sent for these questions, normalised but not judged, for a draft.

        Empty answers are left out; documents are none of this.
        """
        kept: dict[str, Any] = {}
        for key in keys:
            widget = self.fields[key].widget
            if not getattr(self.fields[key], "is_document", False):
                kept[key] = _kept(widget.value_from_datadict(data, {}, key))
        return {key: value for key, value in kept.items() if value not in ("", [], False)}

    def cut(self, data: Any, keys: Iterable[str]) -> list[str]:
        """Those of these questions of whose text a draft keeps only the beginning."""
        return [
            key
            for key in keys
            if isinstance(raw := self.fields[key].widget.value_from_datadict(data, {}, key), str)
            and len(form_text(raw)) > KEPT
        ]

    def sent(self) -> dict[str, Any]:
        """The answers of a valid form as a submission freezes them, without what is not asked."""
        answers = {key: self.answers[key] for key in LABELS if key in self.answers}
        for extra in custom_questions.asked(self.extras.values(), dict(self.answers)):
            value = _frozen(self.cleaned_data.get(extra.key))
            if value not in (None, "", []):
                answers[extra.key] = value
        return answers

    # -- rules -------------------------------------------------------------------------

    def clean_full_name(self) -> str:
        name: str = self.cleaned_data["full_name"]
        if _ADDRESS.search(name):
            raise ValidationError("Write your name, not an address.")
        if not any(character.isalpha() for character in name):
            raise ValidationError("A name has at least one letter.")
        return name

    def clean_profile_url(self) -> str:
        address: str = self.cleaned_data["profile_url"]
        if address and not address.lower().startswith("https://"):
            raise ValidationError("The address must begin with https://")
        orcid_id = orcid.id_in_url(address)
        if orcid_id is not None and not orcid.is_valid(orcid_id):
            raise ValidationError("This is no ORCID iD: its digits do not check. Copy it again.")
        return address

    def clean_abstract(self) -> str:
        abstract: str = self.cleaned_data["abstract"]
        alike = SequenceMatcher(None, ABSTRACT_HELP, abstract, autojunk=False)
        # The quick ones are upper bounds: long abstracts are not compared letter by letter.
        if min(alike.real_quick_ratio(), alike.quick_ratio()) > 0.6 and alike.ratio() > 0.6:
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
        given = super().clean() or self.cleaned_data
        self._judge_organisation(given)
        self._judge_profile(given)
        silent = not given.get("commercial_detail") and "commercial_detail" not in self.errors
        if given.get("commercial") == "yes" and silent:
            self.add_error("commercial_detail", "Say what the commercial interest is.")
        self._judge_extras()
        return given

    def _judge_organisation(self, given: dict[str, Any]) -> None:
        none = str(given.get("org_name", "")).lower() in _NO_ORGANISATION
        if none and given.get("org_type") not in {"independent", None}:
            self.add_error("org_name", "Name the organisation, or choose Independent.")

    def _judge_profile(self, given: dict[str, Any]) -> None:
        """A profile or a linked ORCID says who somebody is, the more so with a free address."""
        if given.get("profile_url") or self.linked_orcid or "profile_url" in self.errors:
            return
        why = "This field is required: reviewers look there to see who you are."
        if free_mail.is_free(str(given.get("work_email", ""))):
            why = "This field is required with an address of a free mail service."
        self.add_error("profile_url", why)

    def _judge_extras(self) -> None:
        met = {
            extra.key for extra in custom_questions.asked(self.extras.values(), dict(self.answers))
        }
        for key, extra in self.extras.items():
            if key not in met:
                self.errors.pop(key, None)
            elif extra.required and key not in self.errors and not self._is_given(extra):
                self.add_error(key, "This field is required.")

    def _is_given(self, extra: Extra) -> bool:
        if extra.kind == Kind.FILE:
            return self.documents.get(extra.key, 0) > 0
        value = self.cleaned_data.get(extra.key)
        return value not in (None, "", [], False)


def _as_typed(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Kept answers as a form would send them: rows of hardware are text again."""
    return {
        key: custom_questions.hardware_text(value)
        if custom_questions.are_rows(value) and value
        else value
        for key, value in answers.items()
    }


def _kept(raw: Any) -> Any:
    if isinstance(raw, bool):
        return raw
    if custom_questions.are_rows(raw) and raw:
        return custom_questions.hardware_text(raw)[:KEPT]
    if isinstance(raw, list):
        return [form_text(str(one))[:500] for one in raw[:KEPT_TICKS]]
    return form_text("" if raw is None else str(raw))[:KEPT]


def _frozen(value: Any) -> Any:
    """A judged value as JSON keeps it."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
