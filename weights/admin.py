"""Registers the admin pages of every capability; Django imports this module."""

import weights.catalogue.admin
import weights.delivery.admin
import weights.families.admin
import weights.inspection.admin
import weights.integrity.admin
import weights.known_issues.admin
import weights.logbook.admin
import weights.recalls.admin
import weights.reports.admin
import weights.uploads.admin  # noqa: F401
