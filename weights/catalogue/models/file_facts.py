"""What a file says of the checkpoint that it belongs to, kept under the file's content."""

from django.db import models


class FileFacts(models.Model):
    """Read once from a verified blob. Content never changes, so neither does this row.

    `facts` of a card are its front matter, of a configuration the model's type and
    architectures, of a safetensors file the number of parameters by type.
    """

    class Kind(models.TextChoices):
        CARD = "card", "Front matter of a card"
        CONFIG = "config", "Configuration"
        TENSORS = "tensors", "Header of a safetensors file"

    blob = models.ForeignKey("weights.Blob", models.CASCADE, related_name="facts")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    facts = models.JSONField(default=dict)
    #: A card's tags as they are searched: in lower case, each between line breaks.
    tags = models.TextField(blank=True)
    pipeline_tag = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["blob", "kind"], name="facts_are_read_once_per_blob")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.blob}"
