"""Families, checkpoints, and facts read from their files."""

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Concat, Lower
from django.db.models.lookups import In
from django.urls import reverse
from django.utils import timezone

from accounts.api_tokens.models import ApiToken, Scope
from accounts.grants.queries import tiers_open_to
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment, in_tiers
from accounts.roles.permissions import OWNERS, PRIVATE_READERS
from accounts.web.sanitize import is_storable
from accounts.web.single_line_fields import OneLineFields
from weights.catalogue import facts
from weights.family_facts import parts

if TYPE_CHECKING:
    from accounts.users.models import User


class Family(OneLineFields):
    """A family of checkpoints, such as OPT, and the facts that they share."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    long_name = models.CharField(max_length=200, blank=True)
    developer = models.CharField(max_length=200, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    position = models.PositiveSmallIntegerField(
        "Place in lists",
        default=0,
        db_default=0,
        help_text="The lowest number comes first; equal ones are sorted by name",
    )
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "families"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raises ValidationError for a footprint, openness or citation that is not valid."""
        try:
            parts.validate(self.facts)
        except ValueError as error:
            raise ValidationError({"facts": str(error)}) from error


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    def locked(self) -> "CheckpointQuerySet":
        """Locks the checkpoints alone, not the tiers that many of them share."""
        return self.select_for_update(of=("self",))

    def released(self) -> "CheckpointQuerySet":
        """Checkpoints without an embargo, or whose embargo has ended."""
        now = timezone.now()
        return self.filter(models.Q(embargo_until=None) | models.Q(embargo_until__lte=now))

    def restricted_or_after(self, newest: int) -> "CheckpointQuerySet":
        """Checkpoints that are private, have an embargo (even a past one), or have a higher id.

        `visible_to` never hides any others.
        """
        restricted = models.Q(private=True) | models.Q(embargo_until__isnull=False)
        return self.filter(restricted | models.Q(pk__gt=newest))

    def within_limits_of(self, token: ApiToken | None) -> "CheckpointQuerySet":
        """Leave out hidden checkpoints that the token's limits exclude."""
        if token is None:
            return self
        public = self.released().filter(private=False)
        reachable: CheckpointQuerySet = self
        if Scope.READ_GATED not in token.scopes:
            if Scope.WRITE not in token.scopes or not token.recently_authenticated:
                return public
            reachable = self._drafts_of(token.user)
        if token.repositories:
            repo_id = Concat("org", models.Value("/"), "name", output_field=models.CharField())
            reachable = reachable.filter(In(repo_id, token.repositories))
        return self if reachable is self else public | reachable

    def _drafts_of(self, user: "User") -> "CheckpointQuerySet":
        """Unpublished checkpoints with drafts, in the tiers that `user` owns."""
        if not is_active_staff(user):
            return self.none()
        tiers = RoleAssignment.objects.held(user, OWNERS).tiers()
        with_drafts = Checkpoint.objects.filter(revisions__state="draft").values("pk")
        return in_tiers(self.filter(published_at=None, pk__in=with_drafts), tiers)

    def visible_to(
        self, user: "User | None", token: ApiToken | None = None
    ) -> "CheckpointQuerySet":
        """Checkpoints that `user` may see, including gated ones: the gate's rule `repository`.

        `token` is the request's API token, whose limits apply.
        """
        public = self.released().filter(private=False)
        if user is None or not is_active_staff(user):
            return public
        tiers = RoleAssignment.objects.held(user, PRIVATE_READERS).tiers()
        visible = self if tiers is None else public | self.filter(tier__in=tiers)
        return visible.within_limits_of(token)

    def published(self) -> "CheckpointQuerySet":
        """Checkpoints that have had a visible revision; pages of others show only facts."""
        return self.filter(published_at__isnull=False)

    def with_main(self) -> "CheckpointQuerySet":
        """Published checkpoints whose branch `main` points at a visible revision."""
        # Ref names are unique within a checkpoint, so the join adds no duplicates.
        return self.published().filter(refs__name="main", refs__revision__state="visible")

    def downloadable_by(self, user: "User | None") -> "CheckpointQuerySet":
        """Checkpoints whose files `user` may download: the gate's rule `may_fetch_checkpoint`."""
        visible = self.visible_to(user).published().released()
        return visible.filter(tier__in=tiers_open_to(user))

    def by_repo_id(self, repo_id: str) -> "Checkpoint | None":
        """The checkpoint of this exact name with its tier and licence, or None."""
        if not is_storable(repo_id):
            return None
        org, _, name = repo_id.partition("/")
        return (
            self.select_related("tier__licence", "licence", "family")
            .filter(org=org, name=name)
            .first()
        )


class Checkpoint(OneLineFields):
    """A model in the catalogue, `org/name`, whether or not its files are published here.

    `facts` are the numbers shown on its page (layers, heads, d_model, parameters, …), each
    as `{"value": …, "source": …}` (`weights.catalogue.facts`).
    """

    org = models.CharField(max_length=96)
    name = models.CharField(max_length=96)
    title = models.CharField(max_length=200, blank=True)
    summary = models.CharField(max_length=500, blank=True)
    family = models.ForeignKey(
        "weights.Family", models.PROTECT, null=True, blank=True, related_name="checkpoints"
    )
    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="checkpoints")
    licence = models.ForeignKey(
        "accounts.Licence",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="checkpoints",
        help_text="In an open tier: a licence whose text this portal holds",
    )
    licence_code = models.CharField(
        max_length=100,
        blank=True,
        db_default="",
        help_text="In an open tier: an identifier such as apache-2.0, if the card has none",
    )
    facts = models.JSONField(default=dict, blank=True)
    parameters = models.BigIntegerField(null=True, blank=True, help_text="Exact count")
    #: Shown until a published revision contains a README.md, which then is the card.
    card = models.TextField(blank=True, help_text="Markdown")
    synthetic = models.BooleanField(default=False, help_text="Random weights; every page says so")
    private = models.BooleanField(default=False)
    embargo_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(default=timezone.now)
    published_at = models.DateTimeField(
        null=True, blank=True, help_text="When its first revision was verified"
    )

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ["org", "name"]
        permissions = [("publish_checkpoint", "Can publish and withdraw revisions")]
        constraints = [
            models.UniqueConstraint(
                Lower("org"), Lower("name"), name="one_checkpoint_per_name_in_any_case"
            )
        ]
        indexes = [
            models.Index(fields=["org", "name"], name="checkpoint_by_name"),
            models.Index(
                fields=["id"],
                condition=models.Q(private=True) | models.Q(embargo_until__isnull=False),
                name="restricted_checkpoint",
            ),
        ]

    def __str__(self) -> str:
        return self.repo_id

    def clean(self) -> None:
        """Raises ValidationError for facts that pages cannot display."""
        try:
            facts.validate(self.facts)
        except ValueError as error:
            raise ValidationError(f"Facts: {error}.") from error

    def get_absolute_url(self) -> str:
        return reverse("weights:checkpoint-detail", args=[self.org, self.name])

    @property
    def repo_id(self) -> str:
        return f"{self.org}/{self.name}"

    @property
    def is_hidden(self) -> bool:
        """True if it is private or under embargo, and so not visible to the public."""
        embargo = self.embargo_until
        return self.private or (embargo is not None and embargo > timezone.now())

    @property
    def awaits_first_verification(self) -> bool:
        """True if it was never published and its first revision is being verified."""
        return self.published_at is None and self.revisions.pending().exists()


class FileFacts(models.Model):
    """Metadata of a verified blob, read once per version of the inspection's rules.

    `facts` holds a card's front matter, a configuration's architecture, the element counts by dtype
    of a tensor file, or a GGUF file's metadata.
    """

    class Kind(models.TextChoices):
        CARD = "card", "Front matter of a card"
        CONFIG = "config", "Configuration"
        TENSORS = "tensors", "Elements of tensors by dtype"
        GGUF = "gguf", "Metadata of a GGUF file"

    blob = models.ForeignKey("weights.Blob", models.CASCADE, related_name="facts")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    facts = models.JSONField(default=dict)
    #: A card's tags for searching: in lower case, each between line breaks.
    tags = models.TextField(blank=True)
    pipeline_tag = models.CharField(max_length=100, blank=True)
    #: The version of the inspection's rules that read them.
    version = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["blob", "kind"], name="facts_are_read_once_per_blob")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.blob}"


class MeasuredFacts(models.Model):
    """Facts counted from the files of a visible revision (`weights.catalogue.measured`)."""

    revision = models.OneToOneField("weights.Revision", models.CASCADE, related_name="measured")
    #: The format whose tensors were counted; empty if none could be.
    counted_from = models.CharField(max_length=16, blank=True)
    formats = models.JSONField(default=list, help_text="Formats of its files of weights")
    tensor_types = models.JSONField(default=dict, help_text="Elements by dtype")
    parameters = models.BigIntegerField(null=True, blank=True)
    weight_bytes = models.BigIntegerField(default=0, help_text="Bytes of the counted files")
    #: `architectures`, `model_type`, and numbers by the keys of a checkpoint's facts.
    architecture = models.JSONField(default=dict)
    #: The version of the inspection's rules; 0 if a file was inspected again since.
    version = models.PositiveIntegerField(default=0, db_index=True)
    counted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "measured facts"

    def __str__(self) -> str:
        return f"measured facts of {self.revision}"


class SearchDocument(models.Model):
    """The normalised words of a checkpoint for full text search (`weights.catalogue.search`)."""

    checkpoint = models.OneToOneField(Checkpoint, models.CASCADE, related_name="search_document")
    names = models.TextField(blank=True)
    tags = models.TextField(blank=True)
    body = models.TextField(blank=True)
    logbook = models.TextField(blank=True)
    #: A hash that changes with every source of the words.
    fingerprint = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"search document of {self.checkpoint}"
