"""Published manifests, signing keys and signatures."""

from typing import TYPE_CHECKING, Literal

from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from weights.publishing.models import Revision


class PublishedManifest(models.Model):
    """The manifest document of one revision, exactly as first published."""

    revision = models.OneToOneField("weights.Revision", models.CASCADE, related_name="manifest")
    text = models.TextField()
    sha256 = models.CharField(max_length=64, help_text="SHA-256 of the text in UTF-8")
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.sha256[:12]}…"


class ManifestKeyQuerySet(models.QuerySet["ManifestKey"]):
    def trusted(self) -> "ManifestKeyQuerySet":
        """Keys that are not compromised."""
        return self.filter(compromised_at=None)


class ManifestKey(models.Model):
    """The public half of a current or former signing key; private keys are in no database.

    Signatures of a retired key stay valid. Those of a compromised key are not trusted.
    """

    key_id = models.CharField(
        max_length=16, unique=True, help_text="First characters of the fingerprint"
    )
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the public key's PEM")
    public_pem = models.TextField()
    first_used_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)
    compromised_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was marked as compromised"
    )
    compromised_from = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Time from which others may have had the key; empty for its first use",
    )
    reason = models.CharField(max_length=500, blank=True, help_text="Why the key was retired")

    objects = ManifestKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-first_used_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(compromised_at=None) | models.Q(retired_at__isnull=False),
                name="a_compromised_key_is_retired",
            ),
            models.CheckConstraint(
                condition=models.Q(compromised_from=None) | models.Q(compromised_at__isnull=False),
                name="only_a_compromised_key_was_so_from_some_time_on",
            ),
        ]

    def __str__(self) -> str:
        return self.key_id

    @property
    def state(self) -> Literal["current", "retired", "compromised"]:
        if self.compromised_at is not None:
            return "compromised"
        return "retired" if self.retired_at is not None else "current"


class ManifestSignatureQuerySet(models.QuerySet["ManifestSignature"]):
    def trusted_for(self, revision: "Revision") -> "ManifestSignatureQuerySet":
        """The revision's trusted signatures, newest key first, with deferred bundles."""
        trusted = self.filter(revision=revision, key__compromised_at=None)
        newest = trusted.order_by("-key__first_used_at", "-key__pk")
        return newest.select_related("key").defer("bundle", "key__public_pem")


class ManifestSignature(models.Model):
    """The signature of one revision by one key: a bundle in the OpenSSF format."""

    revision = models.ForeignKey("weights.Revision", models.CASCADE, related_name="signatures")
    key = models.ForeignKey(ManifestKey, models.PROTECT, related_name="signatures")
    bundle = models.TextField()
    made_at = models.DateTimeField(auto_now_add=True)

    objects = ManifestSignatureQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["revision", "key"], name="one_signature_per_revision_and_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.revision} by {self.key}"
