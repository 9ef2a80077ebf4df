"""The origin of mirrored revisions."""

from django.db import models


class RevisionSource(models.Model):
    """A commit on another hub that has the files of a revision."""

    revision = models.ForeignKey("weights.Revision", models.CASCADE, related_name="sources")
    hub = models.CharField(max_length=300, help_text="Its address, such as https://huggingface.co")
    repo_id = models.CharField(max_length=200)
    commit = models.CharField(max_length=40, help_text="40 hex digits")
    mirrored_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["revision", "hub", "repo_id", "commit"], name="one_row_per_revision_source"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hub}/{self.repo_id}@{self.commit[:12]}"

    @property
    def url(self) -> str:
        return f"{self.hub}/{self.repo_id}/tree/{self.commit}"
