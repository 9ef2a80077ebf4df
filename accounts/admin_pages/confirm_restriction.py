"""A form mixin that requires confirmation before a change restricts access."""

from typing import Any

from django import forms


class ConfirmRaisedGate(forms.Form):
    """Shows a checkbox if `gate_warning` returns a text, and hides it otherwise."""

    confirm_raise = forms.BooleanField(
        label="Raise the gate", required=False, widget=forms.HiddenInput
    )

    def gate_warning(self) -> str:
        """Return a description of the access that the change would end; empty if none."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        warning = self.gate_warning()
        if warning:
            self.fields["confirm_raise"].widget = forms.CheckboxInput()
            if not cleaned.get("confirm_raise"):
                self.add_error("confirm_raise", f"{warning} Tick this box and save again.")
        return cleaned
