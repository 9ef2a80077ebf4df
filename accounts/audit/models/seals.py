"""The seals of trail and ledger: one growing Merkle tree (docs/decisions/0007).

Rows of the trail are never touched: which leaf one became stands here.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from accounts.audit.models.key import CompromisedAuditKey

#: Of the tree's nodes those of every fourth level are kept; a proof then reads at most
#: fifteen hashes for four levels.
STRIDE = 4


class SealedRow(models.Model):
    """One leaf: the place of a row in the tree, and the hash of its canonical form."""

    index = models.BigIntegerField(primary_key=True)
    #: Which log the row is of (`accounts.audit.merkle_log.logs`).
    log = models.SmallIntegerField()
    row_id = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["log", "row_id"], name="each_row_is_sealed_once")
        ]

    def __str__(self) -> str:
        return f"leaf {self.index}"


class SealedNode(models.Model):
    """The root of a complete subtree, so that a proof need not read all of its leaves."""

    id = models.BigIntegerField(primary_key=True)
    hash = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"node {self.pk}"

    @staticmethod
    def key(level: int, index: int) -> int:
        return level << 56 | index


class SealBatch(models.Model):
    """The leaves that were appended at once; its root stands for all rows up to here.

    So each batch's root follows from the one before and its own rows: that is the chain.
    """

    number = models.BigIntegerField(primary_key=True)
    sealed_at = models.DateTimeField()
    #: The number of leaves before and after.
    start = models.BigIntegerField()
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    #: The right edge of the tree, from which the next batch goes on.
    edge = models.BinaryField()
    #: Every row of transactions before this one is sealed; of the database named `origin`.
    horizon = models.BigIntegerField(default=0)
    origin = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["start"], name="one_batch_follows_another"),
            models.UniqueConstraint(fields=["size"], name="each_batch_ends_elsewhere"),
            models.CheckConstraint(
                condition=models.Q(size__gt=models.F("start")), name="a_batch_has_rows"
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.number}, {self.size} rows"


class SignedHeadQuerySet(models.QuerySet["SignedHead"]):
    def with_doubts(self) -> "SignedHeadQuerySet":
        """Each with `in_doubt`: signed by a key that others may have had by then."""
        return self.annotate(in_doubt=models.Exists(_marks()))

    def doubtful(self) -> "SignedHeadQuerySet":
        """Those that prove nothing any more."""
        return self.filter(models.Exists(_marks()))

    def trusted(self) -> "SignedHeadQuerySet":
        """Those that still prove something."""
        return self.filter(~models.Exists(_marks()))


def _marks() -> models.QuerySet[CompromisedAuditKey]:
    """The mark, if there is one, of the key that signed the outer query's head by then."""
    marks = CompromisedAuditKey.objects.filter(since__lte=models.OuterRef("signed_at"))
    spelt = models.ExpressionWrapper(models.OuterRef("vkey"), models.CharField())
    return marks.annotate(spelt=spelt).filter(spelt__endswith=models.F("public"))


class SignedHead(models.Model):
    """What was said in public about the tree: its size and root, signed."""

    signed_at = models.DateTimeField()
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    #: The key that verifies it, in the form that tools take.
    vkey = models.CharField(max_length=400)
    #: The checkpoint as published (c2sp.org/tlog-checkpoint).
    note = models.TextField()
    #: Whether it is sent to the second place. Those between give people their proofs sooner.
    is_daily = models.BooleanField(default=True)

    if TYPE_CHECKING:
        in_doubt: bool

    objects = SignedHeadQuerySet.as_manager()

    class Meta:
        ordering = ["-size", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["size", "vkey"], name="a_key_signs_a_size_once")
        ]

    def __str__(self) -> str:
        return f"{self.size} rows, signed {self.signed_at:%Y-%m-%d %H:%M}"

    @property
    def root_hex(self) -> str:
        return bytes(self.root).hex()


class HeadCopyQuerySet(models.QuerySet["HeadCopy"]):
    def due(self, now: datetime) -> "HeadCopyQuerySet":
        """Copies to write now; after `ATTEMPTS_MOST` tries nobody writes one but when told."""
        return self.filter(
            done_at=None, next_attempt_at__lte=now, attempts__lt=HeadCopy.ATTEMPTS_MOST
        )


class HeadCopy(models.Model):
    """A head on its way to the place outside that AUDIT_HEAD_COPY named when it was signed."""

    ATTEMPTS_MOST = 8

    head = models.ForeignKey(SignedHead, models.PROTECT, related_name="copies")
    place = models.CharField(max_length=500)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=500, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    objects = HeadCopyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["head", "place"], name="one_copy_of_a_head_per_place")
        ]

    def __str__(self) -> str:
        return f"{self.head} at {self.place}"
