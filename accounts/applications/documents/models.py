"""A document sent with an application."""

import uuid

from django.conf import settings
from django.db import models


class Attachment(models.Model):
    """A PDF that answers an extra question; owner and reviewers of the tier may read it.

    Its bytes lie in a row of their own (docs/decisions/0005): outside any public folder, in
    the same transaction and backup as the application, and gone when it is erased.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    application = models.ForeignKey(
        "accounts.Application", models.CASCADE, related_name="attachments"
    )
    question = models.CharField(max_length=60, help_text="Key of the question it answers")
    name = models.CharField(max_length=120, help_text="As the applicant named it")
    size = models.PositiveIntegerField(help_text="Bytes")
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(auto_now_add=True)
    #: Taken out of the answers after it had been sent: reviewers still find what they read.
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(size__range=(1, 10 * 2**20)),
                name="attachments_hold_1_byte_to_10_MiB",
            )
        ]

    def __str__(self) -> str:
        return f"{self.application}: {self.name}"


class AttachmentContent(models.Model):
    """The bytes of one attachment, apart so that a list of attachments stays light."""

    attachment = models.OneToOneField(Attachment, models.CASCADE, related_name="content")
    data = models.BinaryField()

    def __str__(self) -> str:
        return str(self.attachment)
