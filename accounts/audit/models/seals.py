"""The Merkle tree over trail and ledger, its signed heads and their copies.

Sealing does not change rows: their leaves are stored here (docs/decisions/0007).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

#: Nodes are stored at every fourth level; a proof reads at most fifteen hashes per four levels.
STRIDE = 4


class SealedRow(models.Model):
    """A leaf: a row's index in the tree, and its leaf hash."""

    index = models.BigIntegerField(primary_key=True)
    #: The `number` of the row's log (`accounts.audit.merkle_log.sealed_tables`).
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
    """The root of a complete subtree, so that proofs need not read all of its leaves."""

    id = models.BigIntegerField(primary_key=True)
    hash = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"node {self.pk}"

    @staticmethod
    def key(level: int, index: int) -> int:
        return level << 56 | index

    @staticmethod
    def stored(nodes: Iterable[tuple[tuple[int, int], bytes]]) -> dict[int, bytes]:
        """Keep only nodes at stored levels. Returns primary key -> hash."""
        return {SealedNode.key(*node): root for node, root in nodes if node[0] % STRIDE == 0}


class SealBatch(models.Model):
    """Leaves appended in one transaction; `root` covers all leaves up to `size`.

    Each root follows from the previous batch's `edge` and the batch's own leaves.
    """

    number = models.BigIntegerField(primary_key=True)
    sealed_at = models.DateTimeField()
    #: Tree size before and after.
    start = models.BigIntegerField()
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    #: The right edge of the tree, to which the next batch appends.
    edge = models.BinaryField()
    #: All rows of older transactions of the database cluster `origin` are sealed.
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


class CompromisedAuditKey(models.Model):
    """Marks a key whose signatures prove nothing from `since`.

    Heads are append-only, so the mark is a separate row. `public` is the last part of the
    key's vkeys, which does not depend on the log's name.
    """

    public = models.CharField(max_length=44, unique=True)
    since = models.DateTimeField(help_text="Time from which others may have signed with the key")
    marked_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500, help_text="Public")

    class Meta:
        ordering = ["-marked_at"]

    def __str__(self) -> str:
        return f"{self.public} since {self.since:%Y-%m-%d %H:%M}"


class SignedHeadQuerySet(models.QuerySet["SignedHead"]):
    def with_compromised(self) -> "SignedHeadQuerySet":
        """Annotate `is_compromised`: the key was compromised when it signed the head."""
        return self.annotate(is_compromised=_is_compromised())

    def compromised(self) -> "SignedHeadQuerySet":
        return self.filter(_is_compromised())

    def trusted(self) -> "SignedHeadQuerySet":
        return self.filter(~_is_compromised())


def _is_compromised() -> models.Exists:
    marks = CompromisedAuditKey.objects.filter(since__lte=models.OuterRef("signed_at"))
    vkey = models.ExpressionWrapper(models.OuterRef("vkey"), models.CharField())
    return models.Exists(marks.annotate(vkey=vkey).filter(vkey__endswith=models.F("public")))


class SignedHead(models.Model):
    """A published checkpoint: tree size and root, signed."""

    signed_at = models.DateTimeField()
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    #: The verifier key, `name+id+key` (c2sp.org/signed-note).
    vkey = models.CharField(max_length=400)
    #: The checkpoint as published (c2sp.org/tlog-checkpoint).
    note = models.TextField()
    #: Daily heads are copied outside the portal; hourly ones only make proofs available sooner.
    is_daily = models.BooleanField(default=True)

    if TYPE_CHECKING:
        is_compromised: bool

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
        """Return copies to write now; after `MAX_ATTEMPTS` only `copies.retry` resumes one."""
        return self.filter(
            done_at=None, next_attempt_at__lte=now, attempts__lt=HeadCopy.MAX_ATTEMPTS
        )


class HeadCopy(models.Model):
    """A pending or written copy of a head at `place`, the AUDIT_HEAD_COPY at signing."""

    MAX_ATTEMPTS = 8

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
