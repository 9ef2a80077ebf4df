"""Loads the models of every capability; Django imports this module."""

import weights.catalogue.models
import weights.delivery.models
import weights.inspection.models
import weights.integrity.models
import weights.known_issues.models
import weights.ledger.models
import weights.logbook.models
import weights.manifests.models
import weights.publishing.mirror.models
import weights.publishing.models
import weights.recalls.models
import weights.reports.models
import weights.storage.models
import weights.uploads.models
import weights.uploads.xet.models
