"""The reason catalogue's words, which a lead reviewer may change; codes stay as they are."""

from django.conf import settings
from django.db import models

from accounts.review.reasons import RULES, Reason
from accounts.web.single_line_fields import OneLineFields


class ReasonTextQuerySet(models.QuerySet["ReasonText"]):
    def current(self) -> dict[str, tuple[str, str]]:
        """code -> (label, remedy): the newest of each, else the words shipped. One query."""
        words = {str(code): (Reason(code).label, rule.remedy) for code, rule in RULES.items()}
        for text in self.order_by("pk"):
            words[text.code] = (text.label, text.remedy)
        return words


class ReasonText(OneLineFields):
    """One wording; a change adds a row, so that the history shows who said what when."""

    code = models.CharField(max_length=40, choices=Reason.choices)
    label = models.CharField(max_length=120, help_text="What was wrong, as the applicant reads it")
    remedy = models.CharField(max_length=300, help_text="What the applicant can do about it")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)

    objects = ReasonTextQuerySet.as_manager()

    class Meta:
        ordering = ["code", "-pk"]

    def __str__(self) -> str:
        return f"{self.code}: {self.label}"
