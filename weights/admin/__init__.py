"""The staff's doors to what is published, stored, verified and fetched; one file a subject."""

from weights.admin import fetched, inspections, recalls, reports, stored, surveys
from weights.catalogue import admin

__all__ = ["fetched", "inspections", "published", "recalls", "reports", "stored", "surveys"]
