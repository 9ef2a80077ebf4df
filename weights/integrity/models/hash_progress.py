"""How far the reading of a large blob has come, so that a killed worker need not begin anew."""

from django.db import models
from django.utils import timezone


class HashProgress(models.Model):
    """The state of SHA-256 after the first `at` bytes of one state of one object.

    Good only for the very object it was made of, and for the library that made it.
    """

    blob = models.OneToOneField(
        "weights.Blob", models.CASCADE, primary_key=True, related_name="hash_progress"
    )
    store = models.CharField(max_length=1024)
    version = models.CharField(max_length=1024, blank=True)
    mark = models.CharField(max_length=200)
    at = models.BigIntegerField(help_text="Bytes")
    state = models.BinaryField(max_length=112)
    layout = models.CharField(max_length=200)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "hash progress"

    def __str__(self) -> str:
        return f"{self.blob}: {self.at} bytes hashed"
