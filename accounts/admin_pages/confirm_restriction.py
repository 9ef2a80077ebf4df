"""A form mixin that requires confirmation before a change restricts access."""

from typing import Any

from django import forms


class ConfirmRestriction(forms.Form):
    """Shows a checkbox if `restriction_warning` returns a text, and hides it otherwise."""

    confirm_restriction = forms.BooleanField(
        label="Restrict access", required=False, widget=forms.HiddenInput
    )

    def restriction_warning(self) -> str:
        """Return a description of the access that the change would end; empty if none."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        warning = self.restriction_warning()
        if warning:
            self.fields["confirm_restriction"].widget = forms.CheckboxInput()
            if not cleaned.get("confirm_restriction"):
                self.add_error("confirm_restriction", f"{warning} Tick this box and save again.")
        return cleaned
