"""A key of the audit trail that others may have had: what it signed from then on is no proof."""

from django.db import models
from django.utils import timezone


class CompromisedAuditKey(models.Model):
    """An operator's word that a key was not this portal's alone, from a moment on.

    Heads are append-only, so this stands beside them. `public` is the key as it ends every
    spelling of it, whatever name the log had.
    """

    public = models.CharField(max_length=44, unique=True)
    since = models.DateTimeField(help_text="From when on others may have signed with it")
    marked_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500, help_text="Everybody reads it")

    class Meta:
        ordering = ["-marked_at"]

    def __str__(self) -> str:
        return f"{self.public} since {self.since:%Y-%m-%d %H:%M}"
