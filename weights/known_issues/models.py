"""Published known issues and findings."""

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.web.single_line_fields import OneLineFields
from weights.catalogue.models import Checkpoint

if TYPE_CHECKING:
    from accounts.users.models import User


class KnownIssueQuerySet(models.QuerySet["KnownIssue"]):
    def visible_to(
        self, user: "User | None", token: ApiToken | None = None
    ) -> "KnownIssueQuerySet":
        """Issues that are not withdrawn, of checkpoints that `user` may see by `token`."""
        visible = Checkpoint.objects.visible_to(user, token)
        return self.filter(withdrawn_at=None, checkpoint__in=visible)


class KnownIssue(OneLineFields):
    """A published issue or finding about one checkpoint; may be resolved or withdrawn."""

    class Kind(models.TextChoices):
        ISSUE = "issue", "Known issue"
        FINDING = "finding", "Finding"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    checkpoint = models.ForeignKey("weights.Checkpoint", models.PROTECT, related_name="issues")
    path = models.CharField(
        max_length=1024, blank=True, help_text="The file that the issue concerns"
    )
    title = models.CharField(max_length=200)
    text = models.TextField()
    report = models.ForeignKey(
        "weights.Report", models.PROTECT, null=True, blank=True, related_name="issues"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    published_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = KnownIssueQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at"]

    def __str__(self) -> str:
        return f"{self.checkpoint}: {self.title}"
