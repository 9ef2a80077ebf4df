"""The staff's doors to what is published, stored, verified and fetched; one file a subject."""

from weights.admin import inspections, published, recalls, reports, surveys

__all__ = ["inspections", "published", "recalls", "reports", "surveys"]
