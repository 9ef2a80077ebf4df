"""The staff's doors to what is published, stored, verified and fetched; one file a subject."""

from weights.catalogue import admin
from weights.delivery import admin as fetched
from weights.inspection import admin as inspections
from weights.integrity import admin as stored
from weights.integrity import survey_admin
from weights.recalls import admin as recalls
from weights.reports import admin as reports

__all__ = ["fetched", "inspections", "published", "recalls", "reports", "stored", "surveys"]
