"""How a tier asks for access: plain Python, no records."""

from django.db import models


class AccessMode(models.TextChoices):
    """The access modes of a tier (docs/glossary.md#access)."""

    OPEN = "open", "Open"
    CLICK_THROUGH = "click-through", "Click-through"
    REVIEWED = "reviewed", "Reviewed"

    @property
    def is_gated(self) -> bool:
        """Whether a grant is needed; open tiers need none."""
        return self is not AccessMode.OPEN
