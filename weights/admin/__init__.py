"""The staff's doors to what is published, stored, verified and fetched; one file a subject."""

from weights.admin import fetched, inspections, published, recalls, reports, stored, surveys

__all__ = ["fetched", "inspections", "published", "recalls", "reports", "stored", "surveys"]
