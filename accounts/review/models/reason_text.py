"""The texts of the reason catalogue. Lead reviewers change them; the codes are fixed."""

from django.conf import settings
from django.db import models

from accounts.review.reasons import RULES, Reason
from accounts.web.single_line_fields import OneLineFields


class ReasonTextQuerySet(models.QuerySet["ReasonText"]):
    def current(self) -> dict[str, tuple[str, str]]:
        """Return code -> (label, remedy): each reason's newest text or the default. One query."""
        texts = {str(code): (Reason(code).label, rule.remedy) for code, rule in RULES.items()}
        for text in self.order_by("pk"):
            texts[text.code] = (text.label, text.remedy)
        return texts


class ReasonText(OneLineFields):
    """One text of a reason; each change adds a row, so that the history is complete."""

    code = models.CharField(max_length=40, choices=Reason.choices)
    label = models.CharField(max_length=120, help_text="The reason as the applicant reads it")
    remedy = models.CharField(max_length=300, help_text="What the applicant can do about it")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)

    objects = ReasonTextQuerySet.as_manager()

    class Meta:
        ordering = ["code", "-pk"]

    def is_in_force(self) -> bool:
        """True if this label and remedy are the current ones of the code."""
        return ReasonText.objects.current().get(self.code) == (self.label, self.remedy)

    def __str__(self) -> str:
        return f"{self.code}: {self.label}"
