"""Single-line model fields: names and titles in lists, mails and scripts."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import models

from accounts.web import sanitize

MESSAGE = "Write this in one line, without control characters and hidden marks."


class OneLineFields(models.Model):
    """Makes `full_clean` refuse line breaks and hidden characters in every CharField.

    Browsers strip line breaks from such fields; other clients may not.
    """

    class Meta:
        abstract = True

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        errors: dict[str, list[ValidationError]] = {}
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            errors = error.error_dict
        for field in self._meta.concrete_fields:
            if not isinstance(field, models.CharField) or field.name in (exclude or ()):
                continue
            value = getattr(self, field.attname)
            if isinstance(value, str) and sanitize.has_hidden(value):
                errors.setdefault(field.name, []).append(ValidationError(MESSAGE, code="one_line"))
        if errors:
            raise ValidationError(errors)
