"""The outbox: every message is stored as a row before it is sent."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.encryption.fields import EncryptedTextField


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    def due(self) -> "OutgoingMailQuerySet":
        return self.filter(state=OutgoingMail.State.QUEUED, next_attempt_at__lte=timezone.now())


class OutgoingMail(models.Model):
    """One message, written in the transaction that caused it and delivered after its commit.

    `unique_key` starts with the kind and identifies the cause, so no cause sends two messages.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        KEPT = "kept", "Not sent: no mail server is configured"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    #: Placeholders for the secret in the stored text, a secret in the admin, and erased text.
    REDACTED = "[removed after sending]"
    HIDDEN = "[for its recipient only]"
    REMOVED = "[removed]"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=60)
    unique_key = models.CharField(max_length=200, unique=True)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="mails"
    )
    to = models.EmailField()
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField(blank=True)
    #: The credential in the message, such as a live link, deleted after sending. The text has
    #: REDACTED instead, so that a copy of the database contains no live link in clear.
    secret = EncryptedTextField(blank=True)
    object_kind = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = OutgoingMailQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="mail_by_due"),
            models.Index(fields=["object_kind", "object_id"], name="mail_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"

    @property
    def full_text(self) -> str:
        """The text with the credential, as its recipient reads it."""
        return self.text.replace(self.REDACTED, self.secret) if self.secret else self.text

    @property
    def text_without_secret(self) -> str:
        if not self.secret:
            return self.text
        return self.text.replace(self.secret, self.HIDDEN).replace(self.REDACTED, self.HIDDEN)

    @property
    def is_readable(self) -> bool:
        """False if this process lacks the key with which the credential was encrypted."""
        return self.secret != EncryptedTextField.UNREADABLE

    @property
    def has_original_text(self) -> bool:
        """False for redacted and erased messages, and those with a live secret."""
        removed = self.text == self.REMOVED or self.REDACTED in self.text
        return bool(self.to) and not self.secret and not removed

    @property
    def can_be_sent_again(self) -> bool:
        return self.has_original_text and self.state != self.State.QUEUED
