"""Evidence about an application beside its answers: one line per fact, without a score.

`applicant_facts.py` reads the database; `assessment.py` turns the facts into lines, without
queries.
"""

from typing import TYPE_CHECKING

from accounts.review.evidence.applicant_facts import gather
from accounts.review.evidence.assessment import Level, Line, assess

if TYPE_CHECKING:
    from accounts.applications.models import Application
    from accounts.users.models import User

__all__ = ["Level", "Line", "collect"]


def collect(application: "Application", reviewer: "User") -> list[Line]:
    """Return the lines of evidence for `reviewer`, in the order of the page."""
    return assess(gather(application, reviewer))
