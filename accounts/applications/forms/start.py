"""The one question that is asked before the form: where somebody works."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_countries import countries

from accounts.tiers.models import Tier


class CountryForm(forms.Form):
    """A country from which this tier may be had; told before anybody fills in a form."""

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
