"""The download ledger."""

from django.db import models
from django.utils import timezone


class DownloadQuerySet(models.QuerySet["Download"]):
    def fetched(self) -> "DownloadQuerySet":
        """Responses with bytes, and redirects to them."""
        return self.filter(outcome__in=[Download.Outcome.SERVED, Download.Outcome.REDIRECTED])


class Download(models.Model):
    """A row per response with bytes or a redirect, and per refusal of a signed-in caller.

    Names are stored as text next to the ids, since the ledger outlives the objects.
    """

    class Outcome(models.TextChoices):
        SERVED = "served", "Bytes served"
        REDIRECTED = "redirected", "Storage URL issued"
        SHOWN = "shown", "Shown on a page"
        REFUSED = "refused", "Refused"

    #: The time of the response; in read-only mode, the row is written later.
    at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    user_id = models.BigIntegerField(null=True)
    credential_kind = models.CharField(max_length=20)
    credential_id = models.CharField(max_length=64, blank=True)
    grant_id = models.BigIntegerField(null=True)
    checkpoint_id = models.BigIntegerField(null=True)
    file_id = models.BigIntegerField(null=True)
    repo_id = models.CharField(max_length=193)
    revision = models.CharField(max_length=200, blank=True)
    path = models.CharField(max_length=1024, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    #: Offset of the first byte offered, and the number of bytes.
    start = models.BigIntegerField(default=0)
    length = models.BigIntegerField(default=0)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    code = models.CharField(max_length=40, blank=True, help_text="Refusal code")
    request_id = models.CharField(max_length=64, blank=True)
    network = models.CharField(max_length=64, blank=True)

    objects = DownloadQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "at"], name="download_by_person"),
            models.Index(fields=["checkpoint_id", "at"], name="download_by_checkpoint"),
            models.Index(fields=["sha256"], name="download_by_content"),
        ]

    def __str__(self) -> str:
        return f"{self.repo_id}/{self.path}: {self.outcome}"
