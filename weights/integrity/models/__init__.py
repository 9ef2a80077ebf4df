"""Records of checks, scrubs and surveys."""

from weights.integrity.models.scrub import ScrubTurn, StoreFinding, StoreSurvey
from weights.integrity.models.verification_run import VerificationRun

__all__ = ["ScrubTurn", "StoreFinding", "StoreSurvey", "VerificationRun"]
