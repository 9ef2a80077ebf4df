"""Requires a reviewer to confirm an approval that leaves questions or remarks open."""

from django.utils.text import Truncator

from accounts.applications.models import Application
from accounts.errors import ConfirmationRequired
from accounts.review.checklist import QUESTIONS

#: Characters of a remark quoted in the error.
QUOTED = 80


def require(application: Application, checklist: dict[str, str] | None) -> None:
    """Raise ConfirmationRequired if a question is unanswered or a remark is not ticked off.

    Without a `checklist`, which the Hub's clients do not have, only remarks count.
    """
    points = []
    if checklist is not None:
        points = [f"no answer: {text}" for key, text in QUESTIONS.items() if not checklist.get(key)]
    remarks = application.remarks.filter(settled_at=None).values_list("text", flat=True)
    points += [f"open remark: {Truncator(text).chars(QUOTED)}" for text in remarks]
    if points:
        raise ConfirmationRequired(points)
