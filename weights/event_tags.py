"""The actions of the audit events of weights."""

from accounts.audit.event_tags import EventTag


class WeightsEvent(EventTag):
    """Events of checkpoints, their files, links and recalls."""

    CATALOGUE_LOADED = "catalogue.loaded"

    CHECKPOINT_CHANGED = "checkpoint.changed"

    FAMILY_MADE = "family.made"
    FAMILY_CHANGED = "family.changed"
    FAMILY_RETIRED = "family.retired"
    FAMILY_UNRETIRED = "family.unretired"

    DEMO_PUBLISHED = "demo.published"

    REVISION_PUBLISHED = "revision.published"
    REVISION_REPUBLISHED = "revision.republished"
    REVISION_VISIBLE = "revision.visible"
    REVISION_FAILED = "revision.failed"
    REVISION_WITHDRAWN = "revision.withdrawn"

    BLOB_VERIFICATION_ASKED = "blob.verification_asked"
    BLOB_VERIFIED = "blob.verified"
    BLOB_DOUBTED = "blob.doubted"
    BLOB_SUSPECTED = "blob.suspected"
    BLOB_QUARANTINED = "blob.quarantined"
    BLOB_REFUSED = "blob.refused"
    BLOB_REPLACED = "blob.replaced"
    BLOB_LIFT_ASKED = "blob.lift_asked"

    INSPECTION_OVERRIDE_ASKED = "inspection.override_asked"
    INSPECTION_OVERRIDDEN = "inspection.overridden"
    # Recorded before there were change requests.
    INSPECTION_OVERRIDE_DECLINED = "inspection.override_declined"

    STORE_SURVEYED = "store.surveyed"

    RECALL_OPENED = "recall.opened"
    RECALL_REPAIRED = "recall.repaired"
    RECALL_FETCHERS_EXPORTED = "recall.fetchers_exported"

    MANIFEST_SIGNED = "manifest.signed"

    MANIFEST_KEY_INTRODUCED = "manifest_key.introduced"
    MANIFEST_KEY_RETIRED = "manifest_key.retired"
    MANIFEST_KEY_COMPROMISED = "manifest_key.compromised"

    CHECKPOINT_LINK_REQUESTED = "checkpoint_link.requested"
    CHECKPOINT_LINK_ISSUED = "checkpoint_link.issued"
    CHECKPOINT_LINK_FAILED = "checkpoint_link.failed"
    CHECKPOINT_LINK_REVOKED = "checkpoint_link.revoked"

    FILE_LINK_ISSUED = "file_link.issued"

    DOWNLOAD_PLAN_MADE = "download_plan.made"

    GATE_STRANGERS_REFUSED = "gate.strangers_refused"
    GATE_REFUSALS_UNWRITTEN = "gate.refusals_unwritten"

    EXPORT_ASKED = "export.asked"
    EXPORT_MADE = "export.made"
    EXPORT_FETCHED = "export.fetched"

    REPORT_MADE = "report.made"
    REPORT_ASSIGNED = "report.assigned"
    REPORT_NOTED = "report.noted"
    REPORT_SUSPENDED = "report.suspended"
    REPORT_ISSUE = "report.issue"
    REPORT_FINDING = "report.finding"
    REPORT_RECALL = "report.recall"
    REPORT_DISMISSED = "report.dismissed"

    ISSUE_PUBLISHED = "issue.published"
    ISSUE_RESOLVED = "issue.resolved"
    ISSUE_WITHDRAWN = "issue.withdrawn"

    LOGBOOK_LOADED = "logbook.loaded"
    LOGBOOK_ENTRY_ADDED = "logbook_entry.added"
    LOGBOOK_ENTRY_CHANGED = "logbook_entry.changed"
    LOGBOOK_ENTRY_DELETED = "logbook_entry.deleted"
    LOGBOOK_CURVE_ADDED = "logbook_curve.added"
    LOGBOOK_CURVE_CHANGED = "logbook_curve.changed"
    LOGBOOK_CURVE_DELETED = "logbook_curve.deleted"
