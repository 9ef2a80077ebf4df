"""Xorbs in staging, and how to rebuild the files that name them."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.web.byte_sizes import format_size

#: Age at which a xorb is forgotten. The store sweeps its staging at the same age.
XORB_AGE = timedelta(hours=24)
#: The same once the files of a shard were rebuilt from it: until then a client may name it again.
REBUILT_AGE = timedelta(hours=6)


class StagedXorbQuerySet(models.QuerySet["StagedXorb"]):
    def live(self) -> "StagedXorbQuerySet":
        """Xorbs, and grants to send one, whose bytes are not swept yet."""
        now = timezone.now()
        rebuilt = models.Q(rebuilt=True, created_at__lte=now - REBUILT_AGE)
        return self.filter(created_at__gt=now - XORB_AGE).exclude(rebuilt)

    def checked(self) -> "StagedXorbQuerySet":
        """Live xorbs whose chunks all have the hashes that they claim."""
        return self.live().exclude(chunks=b"")


class StagedXorb(models.Model):
    """A xorb that a person sent to a checkpoint, for this person and this checkpoint alone.

    Its bytes are in the store's staging under the name `staging`. Without `chunks` it is only a
    grant to send them there.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    checkpoint = models.ForeignKey("weights.Checkpoint", models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    size = models.PositiveIntegerField(help_text="Bytes in staging")
    #: Hash, length and size of each chunk: 40 bytes each (`xorb.pack`).
    chunks = models.BinaryField(default=b"")
    staging = models.CharField(max_length=32, unique=True)
    rebuilt = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = StagedXorbQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "checkpoint", "digest"], name="one_xorb_per_person_and_hash"
            )
        ]

    def __str__(self) -> str:
        return f"xorb {self.digest[:12]}… ({format_size(self.size)})"


class Recipe(models.Model):
    """How to rebuild the object of a received upload from xorbs, until that is done."""

    upload = models.OneToOneField("weights.Upload", models.CASCADE, related_name="recipe")
    #: The file's hash in Xet, and its terms with their checks (`shard.FileRecipe.records`).
    digest = models.BinaryField()
    records = models.BinaryField()

    def __str__(self) -> str:
        return f"recipe of {self.upload}"
