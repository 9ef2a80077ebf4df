"""What a tier asks beside the questions of every application, and the frozen forms it made."""

from typing import Any

from django.db import models

from accounts.models.tier import Tier
from accounts.questions import LABELS

#: An extra question's key in the answers: no question of every application begins so.
PREFIX = "extra_"


class Question(models.Model):
    """One extra question of a tier, as its owner keeps it in the admin.

    Changing one changes no application: a draft keeps the form version it was begun with.
    """

    class Kind(models.TextChoices):
        TEXT = "text", "Text, one line"
        LONG_TEXT = "long_text", "Long text"
        NUMBER = "number", "Number"
        SELECT = "select", "One of several"
        MULTI_SELECT = "multi_select", "Any of several"
        TICK = "tick", "Tick"
        DATE = "date", "Date"
        COUNTRY = "country", "Country"
        URL = "url", "Web address"
        FILE = "file", "PDF document"

    tier = models.ForeignKey("accounts.Tier", models.CASCADE, related_name="questions")
    key = models.SlugField(max_length=40, help_text="Short name, such as funding; never changed")
    label = models.CharField(max_length=200, help_text="The question as the applicant reads it")
    help_text = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.TEXT)
    is_required = models.BooleanField(default=False)
    choices = models.TextField(
        blank=True, help_text="For the two kinds that choose: one choice a line"
    )
    shown_if_key = models.CharField(
        max_length=50,
        blank=True,
        help_text="Asked only if this other question (its key) has the value below",
    )
    shown_if_value = models.CharField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="Lower comes first")
    is_asked = models.BooleanField(default=True, help_text="Untick instead of deleting")

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["tier", "key"], name="one_question_per_key_and_tier")
        ]

    def __str__(self) -> str:
        return self.label

    def frozen(self) -> dict[str, Any]:
        """What a form version keeps of it."""
        return {
            "key": f"{PREFIX}{self.key}",
            "label": self.label,
            "help_text": self.help_text,
            "kind": self.kind,
            "required": self.is_required,
            "choices": [line.strip() for line in self.choices.splitlines() if line.strip()],
            "shown_if": [self.shown_if_key, self.shown_if_value] if self.shown_if_key else [],
        }


class FormVersionManager(models.Manager["FormVersion"]):
    def current(self, tier: Tier) -> "FormVersion":
        """The version that a new draft gets: the newest, or one more when questions changed."""
        Tier.objects.select_for_update().get(pk=tier.pk)  # numbers follow each other
        asked = [question.frozen() for question in tier.questions.filter(is_asked=True)]
        newest = self.filter(tier=tier).order_by("-number").first()
        if newest is not None and newest.questions == asked:
            return newest
        return self.create(tier=tier, number=newest.number + 1 if newest else 1, questions=asked)


class FormVersion(models.Model):
    """The questions of a tier as they stood once; never edited.

    `questions` lists the extra ones, each as `Question.frozen` gives it.
    """

    tier = models.ForeignKey("accounts.Tier", models.CASCADE, related_name="form_versions")
    number = models.PositiveSmallIntegerField()
    questions = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FormVersionManager()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["tier", "number"], name="form_versions_numbered_once")
        ]

    def __str__(self) -> str:
        return f"{self.tier}: form version {self.number}"

    def labels(self) -> dict[str, str]:
        """Key -> label of every question, in the order of the form."""
        return {**LABELS, **{asked["key"]: asked["label"] for asked in self.questions}}

    def mapped(self, answers: dict[str, Any]) -> dict[str, Any]:
        """The answers that this version asks for too."""
        return {key: value for key, value in answers.items() if key in self.labels()}
