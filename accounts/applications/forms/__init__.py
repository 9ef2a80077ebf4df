"""Forms of an application: the country, the questions, and fields of custom questions."""

from accounts.applications.forms.application import (
    ABSTRACT_HELP,
    MAX_DRAFT_LENGTH,
    ApplicationForm,
    CountryForm,
)

__all__ = ["ABSTRACT_HELP", "MAX_DRAFT_LENGTH", "ApplicationForm", "CountryForm"]
