"""Xorbs in staging, and the recipes to rebuild files from them."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.web.byte_sizes import format_size

#: Age at which a xorb expires. The store sweeps its staging area at the same age.
XORB_AGE = timedelta(hours=24)
#: The same for a xorb whose files were rebuilt; until then clients may refer to it again.
REBUILT_AGE = timedelta(hours=6)


class StagedXorbQuerySet(models.QuerySet["StagedXorb"]):
    def live(self) -> "StagedXorbQuerySet":
        """Xorbs and upload grants that have not expired."""
        now = timezone.now()
        rebuilt = models.Q(rebuilt=True, created_at__lte=now - REBUILT_AGE)
        return self.filter(created_at__gt=now - XORB_AGE).exclude(rebuilt)

    def checked(self) -> "StagedXorbQuerySet":
        """Live xorbs whose chunk hashes were checked."""
        return self.live().exclude(chunks=b"")


class StagedXorb(models.Model):
    """A xorb that a person sent to a checkpoint; only they can use it, and only there.

    Its bytes are in the store's staging area under the name `staging`. A row without `chunks` is
    only a grant to send them.
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
    """How to rebuild the object of a received upload from xorbs; deleted afterwards."""

    upload = models.OneToOneField("weights.Upload", models.CASCADE, related_name="recipe")
    #: The file's Xet hash, and its terms with their verification hashes (`FileRecipe.records`).
    digest = models.BinaryField()
    records = models.BinaryField()

    def __str__(self) -> str:
        return f"recipe of {self.upload}"
