"""A form that asks again before a gate is raised."""

from typing import Any

from django import forms


class ConfirmRaise(forms.Form):
    """Asks for a tick where `raised` says what would close; the tick is hidden until then."""

    confirm_raise = forms.BooleanField(
        label="Raise the gate", required=False, widget=forms.HiddenInput
    )

    def raised(self) -> str:
        """What the change closes to whom, empty where it raises no gate."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        warning = self.raised()
        if warning:
            self.fields["confirm_raise"].widget = forms.CheckboxInput()
            if not cleaned.get("confirm_raise"):
                self.add_error("confirm_raise", f"{warning} Tick here and save again.")
        return cleaned
