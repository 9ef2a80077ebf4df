"""A family of checkpoints, such as OPT."""

from django.db import models

from accounts.web.single_line_fields import OneLineFields


class Family(OneLineFields):
    """Paper, training facts, footprint and logbook that its checkpoints share."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    long_name = models.CharField(max_length=200, blank=True)
    developer = models.CharField(max_length=200, blank=True)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "families"

    def __str__(self) -> str:
        return self.name
