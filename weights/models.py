"""The models of every capability; Django imports this module."""

from weights.catalogue.models.checkpoint import Checkpoint
from weights.catalogue.models.family import Family
from weights.catalogue.models.file_facts import FileFacts
from weights.catalogue.models.known_issue import KnownIssue
from weights.delivery.models import CheckpointLink
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity.models.scrub import ScrubTurn, StoreFinding, StoreSurvey
from weights.integrity.models.verification_run import VerificationRun
from weights.ledger.models import Download
from weights.manifests.models import ManifestKey, ManifestSignature, PublishedManifest
from weights.publishing.models import File, Ref, Revision
from weights.recalls.models import Recall
from weights.reports.models import Report, ReportEntry
from weights.storage.models import Blob, IntakeNote
