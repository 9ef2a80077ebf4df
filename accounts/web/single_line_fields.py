"""Names and titles that stand in lists, mails and scripts, each in one line."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import models

from accounts.web import sanitize

SAID = "Write this in one line, without control characters and hidden marks."


class OneLineFields(models.Model):
    """A record whose every CharField is one line of what a reader sees: `full_clean` asks it.

    Browsers take line breaks out of such fields; whoever writes the request need not.
    """

    class Meta:
        abstract = True

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        found: dict[str, list[ValidationError]] = {}
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            found = error.error_dict
        for field in self._meta.concrete_fields:
            if not isinstance(field, models.CharField) or field.name in (exclude or ()):
                continue
            given = getattr(self, field.attname)
            if isinstance(given, str) and sanitize.hides(given):
                found.setdefault(field.name, []).append(ValidationError(SAID, code="one_line"))
        if found:
            raise ValidationError(found)
