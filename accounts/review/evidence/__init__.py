"""What is known of an application beside its own words: one line a fact, never a score.

`facts.py` asks the database, `lines.py` judges what came back without asking anything.
"""

from typing import TYPE_CHECKING

from accounts.review.evidence.facts import gather
from accounts.review.evidence.line import Level, Line
from accounts.review.evidence.lines import judge

if TYPE_CHECKING:
    from accounts.applications.models import Application
    from accounts.users.models import User

__all__ = ["Level", "Line", "collect"]


def collect(application: "Application", reviewer: "User") -> list[Line]:
    """The lines of evidence for `reviewer`, in the order of the page."""
    return judge(gather(application, reviewer))
