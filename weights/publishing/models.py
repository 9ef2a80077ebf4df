"""Revisions of a checkpoint, their files, and the branches and tags that point at them."""

from django.conf import settings
from django.db import models


class RevisionQuerySet(models.QuerySet["Revision"]):
    def visible(self) -> "RevisionQuerySet":
        """Revisions whose blobs are all verified; only these are public."""
        return self.filter(state=Revision.State.VISIBLE)

    def pending(self) -> "RevisionQuerySet":
        """Revisions whose blobs are still being verified."""
        return self.filter(state=Revision.State.PENDING)

    def drafts(self) -> "RevisionQuerySet":
        """Commits that their owners have not published; nobody else sees them."""
        return self.filter(state=Revision.State.DRAFT)

    def awaiting_verification(self) -> "RevisionQuerySet":
        return self.filter(state__in=[Revision.State.PENDING, Revision.State.FAILED])

    def tombstones(self) -> "RevisionQuerySet":
        """Withdrawn revisions that were visible before."""
        return self.filter(state=Revision.State.WITHDRAWN, visible_at__isnull=False)


class Revision(models.Model):
    """An immutable version, identified by the hash of its manifest and its parent."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft: only its owners see it"
        PENDING = "pending", "Being verified"
        VISIBLE = "visible", "Published"
        FAILED = "failed", "Not published: a file failed its check"
        WITHDRAWN = "withdrawn", "Withdrawn"

    checkpoint = models.ForeignKey("weights.Checkpoint", models.PROTECT, related_name="revisions")
    sha = models.CharField(max_length=40, help_text="40 hex digits")
    manifest_sha256 = models.CharField(max_length=64)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True)
    #: Branch and tag that are set when it becomes visible.
    branch = models.CharField(max_length=200, default="main")
    tag = models.CharField(max_length=200, blank=True)
    message = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    state_reason = models.CharField(max_length=500, blank=True)
    file_count = models.PositiveIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)
    #: Lint findings (`weights.publishing.lint_findings`); None before the lint has run.
    findings = models.JSONField(null=True, blank=True, editable=False)
    #: The licence that its README.md states: `code`, `name` and `link`; empty if none.
    licence = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    visible_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "sha"], name="one_revision_per_sha")
        ]
        indexes = [
            models.Index(
                fields=["-visible_at"],
                condition=models.Q(state="visible"),
                name="newest_visible_revision",
            )
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint}@{self.sha[:12]}"

    def get_absolute_url(self) -> str:
        return f"{self.checkpoint.get_absolute_url()}/tree/{self.sha}"

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0] or "Publish"

    @property
    def explanation(self) -> str:
        """The message below its first line."""
        return self.message.partition("\n")[2].strip()


class RefQuerySet(models.QuerySet["Ref"]):
    def shown(self) -> "RefQuerySet":
        """Branches and tags of revisions that are or were visible; others name drafts."""
        return self.filter(revision__visible_at__isnull=False)


class Ref(models.Model):
    """A branch or tag. Only its checkpoint's owners see one that points at a draft."""

    class Kind(models.TextChoices):
        BRANCH = "branch", "Branch"
        TAG = "tag", "Tag"

    checkpoint = models.ForeignKey("weights.Checkpoint", models.CASCADE, related_name="refs")
    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.BRANCH)
    name = models.CharField(max_length=200)
    revision = models.ForeignKey(Revision, models.PROTECT, related_name="refs")

    objects = RefQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "name"], name="one_meaning_per_ref_name")
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint}@{self.name}"


class FileQuerySet(models.QuerySet["File"]):
    def shown(self) -> "FileQuerySet":
        """Files of revisions that are or were visible."""
        return self.filter(revision__visible_at__isnull=False)

    def without_drafts(self) -> "FileQuerySet":
        """Files of revisions that are not drafts, including those in verification."""
        return self.exclude(revision__state=Revision.State.DRAFT)


class File(models.Model):
    """A path in a revision, and the blob with its content."""

    revision = models.ForeignKey(Revision, models.PROTECT, related_name="files")
    path = models.CharField(max_length=1024)
    blob = models.ForeignKey("weights.Blob", models.PROTECT, related_name="files")
    #: The Hub's tree marks it LFS: the ETag is the SHA-256 (docs/requirements.md, RG-5).
    lfs = models.BooleanField()
    #: The git blob id of the file, or of its LFS pointer: 40 hex digits.
    git_oid = models.CharField(max_length=40)
    md5 = models.CharField(max_length=32, blank=True, help_text="If the publisher lists one")
    part = models.PositiveIntegerField(null=True, blank=True)
    shard = models.PositiveIntegerField(null=True, blank=True)

    objects = FileQuerySet.as_manager()

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["revision", "path"], name="one_file_per_path")
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def size(self) -> int:
        """Bytes."""
        return self.blob.size

    @property
    def sha256(self) -> str:
        return self.blob.sha256

    @property
    def etag(self) -> str:
        """The strong entity tag, unquoted (RFC 9110 section 8.8.3)."""
        return self.blob.sha256 if self.lfs else self.git_oid
