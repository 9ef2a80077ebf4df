"""Documents uploaded with an application."""

import uuid

from django.conf import settings
from django.db import models


class Attachment(models.Model):
    """A PDF that answers a custom question; the applicant and the tier's staff may read it.

    `AttachmentContent` stores its bytes in the database (docs/decisions/0005): outside any public
    folder, in the transaction and backup of the application, and deleted with it.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    application = models.ForeignKey(
        "accounts.Application", models.CASCADE, related_name="attachments"
    )
    question = models.CharField(max_length=60, help_text="Key of the question it answers")
    name = models.CharField(max_length=120, help_text="File name chosen by the applicant")
    size = models.PositiveIntegerField(help_text="Bytes")
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(auto_now_add=True)
    #: When the applicant removed it after a submission; reviewers can still read it.
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
    """The bytes of one attachment, in a separate table so that lists of attachments stay small."""

    attachment = models.OneToOneField(Attachment, models.CASCADE, related_name="content")
    data = models.BinaryField()

    def __str__(self) -> str:
        return str(self.attachment)
