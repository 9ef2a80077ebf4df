"""Models of review."""

from accounts.review.models.conflict import Conflict
from accounts.review.models.consultation import Consultation
from accounts.review.models.decision import Decision
from accounts.review.models.profile_look import ProfileLook
from accounts.review.models.reason_text import ReasonText
from accounts.review.models.remark import Remark

__all__ = ["Conflict", "Consultation", "Decision", "ProfileLook", "ReasonText", "Remark"]
