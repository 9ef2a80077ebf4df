"""Checks of blobs."""

from django.db import models


class VerificationRun(models.Model):
    """One check of one blob: bytes read, seconds, result and worker."""

    class Result(models.TextChoices):
        RUNNING = "running", "Running"
        VERIFIED = "verified", "Verified"
        MISMATCH = "mismatch", "The bytes differ from their SHA-256"
        MISSING = "missing", "Not in the store"
        UNREADABLE = "unreadable", "The store could not be read"
        ABANDONED = "abandoned", "The worker stopped"

    blob = models.ForeignKey("weights.Blob", models.CASCADE, related_name="runs")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    bytes_read = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    result = models.CharField(max_length=12, choices=Result.choices, default=Result.RUNNING)
    found_sha256 = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    worker = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-started_at"]
        indexes = [
            models.Index(fields=["finished_at"], name="run_by_end"),
            models.Index(
                fields=["blob"],
                condition=models.Q(result="abandoned"),
                name="abandoned_run_by_blob",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.blob}: {self.result}"

    @property
    def progress(self) -> str:
        """The percentage of the blob that was read when the row was last saved."""
        return f"{100 * self.bytes_read // max(1, self.blob.size)} %"

    @property
    def rate(self) -> float:
        """Bytes per second; 0 while running."""
        return self.bytes_read / self.seconds if self.seconds else 0.0
