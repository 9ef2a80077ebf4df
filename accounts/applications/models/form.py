"""The custom questions of a tier, and the frozen versions of its form."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from accounts.applications.custom_questions import PREFIX as PREFIX
from accounts.applications.custom_questions import CustomQuestion, Kind, Step
from accounts.applications.questions import LABELS
from accounts.tiers.models.tier import Tier
from accounts.web.single_line_fields import OneLineFields


class Question(OneLineFields):
    """One custom question of a tier, edited in the admin.

    A change affects no existing application: a draft keeps its form version.
    """

    Kind = Kind
    Step = Step

    tier = models.ForeignKey("accounts.Tier", models.CASCADE, related_name="questions")
    key = models.SlugField(
        max_length=40, help_text="Short name, such as funding; cannot be changed later"
    )
    label = models.CharField(max_length=200, help_text="The question as the applicant reads it")
    help_text = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.TEXT)
    step = models.CharField(
        max_length=10,
        choices=Step.choices,
        default=Step.PROJECT,
        help_text="The step of the form",
    )
    is_required = models.BooleanField(default=False)
    choices = models.TextField(
        blank=True, help_text="For single and multiple choice: one choice per line"
    )
    shown_if_key = models.CharField(
        max_length=50,
        blank=True,
        help_text="Key of another question; this one is asked only if that one has the value below",
    )
    shown_if_value = models.CharField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="Lower numbers come first")
    is_asked = models.BooleanField(
        default=True, help_text="Untick this instead of deleting the question"
    )

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["tier", "key"], name="one_question_per_key_and_tier")
        ]

    def __str__(self) -> str:
        return self.label

    def to_json(self) -> dict[str, Any]:
        """Return the question as a form version stores it."""
        return {
            "key": f"{PREFIX}{self.key}",
            "label": self.label,
            "help_text": self.help_text,
            "kind": self.kind,
            "required": self.is_required,
            "choices": [line.strip() for line in self.choices.splitlines() if line.strip()],
            "shown_if": [self.depends_on, self.shown_if_value] if self.shown_if_key else [],
            "step": self.step,
        }

    @property
    def depends_on(self) -> str:
        """The key, as in the answers, of the question on which this one depends."""
        key = self.shown_if_key
        return key if not key or key in LABELS or key.startswith(PREFIX) else PREFIX + key

    def clean(self) -> None:
        """Refuse a choice without choices, and an incomplete condition."""
        super().clean()
        self._refuse_unknown_condition()
        if self.kind in {Kind.SELECT, Kind.MULTI_SELECT} and not self.choices.strip():
            raise ValidationError({"choices": "Write at least one choice, one per line."})
        if self.shown_if_key and not self.shown_if_value:
            raise ValidationError({"shown_if_value": "Enter the value that it depends on."})

    def _refuse_unknown_condition(self) -> None:
        """Refuse a condition on a question that does not exist yet."""
        name = self.depends_on
        if not name or name in LABELS or not self.tier_id:
            return
        if name == f"{PREFIX}{self.key}":
            raise ValidationError({"shown_if_key": "A question cannot depend on itself."})
        others = Question.objects.filter(tier=self.tier_id).values_list("key", flat=True)
        if name.removeprefix(PREFIX) not in others:
            raise ValidationError({"shown_if_key": f"There is no question {self.shown_if_key}."})


class FormVersionManager(models.Manager["FormVersion"]):
    def current(self, tier: Tier) -> "FormVersion":
        """Return the newest version, or a new one if the questions have changed since."""
        Tier.objects.select_for_update(no_key=True).get(pk=tier.pk)  # numbers follow each other
        questions = self.asked_by(tier)
        newest = self.filter(tier=tier).order_by("-number").first()
        if newest is not None and newest.questions == questions:
            return newest
        return self.create(
            tier=tier, number=newest.number + 1 if newest else 1, questions=questions
        )

    def asked_by(self, tier: Tier) -> list[dict[str, Any]]:
        """Return the custom questions of a tier as a new form version would store them."""
        return [question.to_json() for question in tier.questions.filter(is_asked=True)]


class FormVersion(models.Model):
    """The questions of a tier at one point in time; never edited.

    `questions` lists the custom ones, each as `Question.to_json` returns it.
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

    @property
    def custom_questions(self) -> list[CustomQuestion]:
        """The tier's custom questions, in order."""
        return [CustomQuestion.from_json(stored) for stored in self.questions]

    def labels(self) -> dict[str, str]:
        """Return the label of every question by its key, in the order of the form."""
        return {**LABELS, **{stored["key"]: stored["label"] for stored in self.questions}}

    def mapped(self, answers: dict[str, Any]) -> dict[str, Any]:
        """Return the answers to questions of this version, without documents."""
        documents = {one.key for one in self.custom_questions if one.kind == Kind.FILE}
        keys = self.labels().keys() - documents
        return {key: value for key, value in answers.items() if key in keys}
