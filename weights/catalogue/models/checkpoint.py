"""A published model, `org/name`."""

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone

from accounts.grants.queries import tiers_open_to
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import PRIVATE_READERS
from accounts.web.sanitize import is_storable
from accounts.web.single_line_fields import OneLineFields
from weights.catalogue import facts

if TYPE_CHECKING:
    from accounts.users.models import User


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    def released(self) -> "CheckpointQuerySet":
        """Checkpoints without an embargo, or past it."""
        now = timezone.now()
        return self.filter(models.Q(embargo_until=None) | models.Q(embargo_until__lte=now))

    def visible_to(self, user: "User | None") -> "CheckpointQuerySet":
        """Checkpoints that this person may know of, gated ones too: the gate's `repository`."""
        public = self.released().filter(private=False)
        if user is None or not is_active_staff(user):
            return public
        roles = RoleAssignment.objects.held(user, PRIVATE_READERS)
        held = list(roles.values_list("tier_id", flat=True))
        if None in held:
            return self
        return public | self.filter(tier__in=held)

    def published(self) -> "CheckpointQuerySet":
        """Those that hold bytes; the other catalogue entries are "not published here"."""
        return self.filter(published_at__isnull=False)

    def with_main(self) -> "CheckpointQuerySet":
        """Those whose branch `main` leads to files; it may be withdrawn, or never have been."""
        shown = {"refs__name": "main", "refs__revision__state": "visible"}
        return self.published().filter(**shown).distinct()

    def downloadable_by(self, user: "User | None") -> "CheckpointQuerySet":
        """Checkpoints whose files this person may fetch: the gate's `may_fetch_checkpoint`."""
        known = self.visible_to(user).published().released()
        return known.filter(tier__in=tiers_open_to(user))

    def by_repo_id(self, repo_id: str) -> "Checkpoint | None":
        """The one with this exact name, told with its tier and licence; None if there is none."""
        if not is_storable(repo_id):
            return None
        org, _, name = repo_id.partition("/")
        return self.select_related("tier__licence", "family").filter(org=org, name=name).first()


class Checkpoint(OneLineFields):
    """A model in the catalogue, whether or not this portal holds its bytes.

    `facts` are the numbers shown on its page (layers, heads, d_model, parameters, …), each
    as `{"value": …, "source": …}`.
    """

    org = models.CharField(max_length=96)
    name = models.CharField(max_length=96)
    title = models.CharField(max_length=200, blank=True)
    summary = models.CharField(max_length=500, blank=True)
    family = models.ForeignKey(
        "weights.Family", models.PROTECT, null=True, blank=True, related_name="checkpoints"
    )
    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="checkpoints")
    facts = models.JSONField(default=dict, blank=True)
    parameters = models.BigIntegerField(null=True, blank=True, help_text="Exact count")
    #: Shown until a published revision brings a README.md, which then is the card.
    card = models.TextField(blank=True, help_text="Markdown")
    synthetic = models.BooleanField(default=False, help_text="Random weights; says so everywhere")
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
        indexes = [models.Index(fields=["org", "name"], name="checkpoint_by_name")]

    def __str__(self) -> str:
        return self.repo_id

    def clean(self) -> None:
        """Refuse facts that no page could show."""
        try:
            facts.demand(self.facts)
        except ValueError as error:
            raise ValidationError({"facts": str(error)}) from error

    def get_absolute_url(self) -> str:
        return reverse("weights:checkpoint-detail", args=[self.org, self.name])

    @property
    def repo_id(self) -> str:
        return f"{self.org}/{self.name}"

    @property
    def is_hidden(self) -> bool:
        """Whether it is private or under embargo, so that the public may not know of it."""
        embargo = self.embargo_until
        return self.private or (embargo is not None and embargo > timezone.now())

    @property
    def awaits_first_verification(self) -> bool:
        """Whether nothing was ever published here and a first revision is being verified."""
        return self.published_at is None and self.revisions.pending().exists()
