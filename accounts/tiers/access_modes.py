"""The access modes of a tier. Plain Python, no models."""

from django.db import models


class AccessMode(models.TextChoices):
    """The ways to obtain access to a tier (docs/glossary.md#access)."""

    OPEN = "open", "Open"
    CLICK_THROUGH = "click-through", "Click-through"
    REVIEWED = "reviewed", "Reviewed"

    @property
    def is_gated(self) -> bool:
        """True if a download needs a grant."""
        return self is not AccessMode.OPEN
