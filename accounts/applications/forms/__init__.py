"""Forms of an application: the start, its questions, custom questions."""

from accounts.applications.forms.application import ABSTRACT_HELP, KEPT, ApplicationForm
from accounts.applications.forms.start import CountryForm

__all__ = [
    "ABSTRACT_HELP",
    "KEPT",
    "ApplicationForm",
    "CountryForm",
]
