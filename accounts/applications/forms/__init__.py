"""What people type: an application, and a new token; one idea a file."""

from accounts.api_tokens.forms import TokenForm
from accounts.applications.forms.application import ABSTRACT_HELP, KEPT, ApplicationForm, excluded
from accounts.applications.forms.start import CountryForm

__all__ = [
    "ABSTRACT_HELP",
    "KEPT",
    "ApplicationForm",
    "CountryForm",
    "TokenForm",
    "excluded",
]
