"""The actions of the audit events of weights."""

from accounts.audit.event_tags import EventTag


class WeightsEvent(EventTag):
    """Events of checkpoints, their files, links and recalls."""

    CATALOGUE_LOADED = "catalogue.loaded", "{by} loaded the shipped catalogue"

    CHECKPOINT_CREATED = "checkpoint.created", "{by} created {it}"
    CHECKPOINT_CHANGED = "checkpoint.changed", "{by} changed {it}"
    CHECKPOINT_MOVED = "checkpoint.moved", "{by} moved {it}"
    CHECKPOINT_DELETED = "checkpoint.deleted", "{by} deleted {it}"

    FAMILY_MADE = "family.made", "{by} made {it}"
    FAMILY_CHANGED = "family.changed", "{by} changed {it}"
    FAMILY_RETIRED = "family.retired", "{by} retired {it}"
    FAMILY_UNRETIRED = "family.unretired", "{by} put {it} back into use"

    DEMO_PUBLISHED = "demo.published", "{by} published the demo {it}"

    REVISION_COMMITTED = "revision.committed", "{by} committed {it}"
    REVISION_DESCRIBED = "revision.described", "{by} wrote the release notes of {it}"
    REVISION_DISCARDED = "revision.discarded", "{by} discarded {it}"
    REVISION_PUBLISHED = "revision.published", "{by} published {it}"
    REVISION_REPUBLISHED = "revision.republished", "{by} published {it} again"
    REVISION_VISIBLE = "revision.visible", "{it} became visible"
    REVISION_FAILED = "revision.failed", "{it} failed its checks"
    REVISION_WITHDRAWN = "revision.withdrawn", "{by} withdrew {it}"
    REVISION_MIRRORED = "revision.mirrored", "{by} mirrored {it} from another hub"

    REF_CREATED = "ref.created", "{by} created {it}"
    REF_DELETED = "ref.deleted", "{by} deleted {it}"

    BLOB_VERIFICATION_ASKED = "blob.verification_asked", "{by} requested a fresh check of {it}"
    BLOB_VERIFIED = "blob.verified", "{by} verified {it}"
    BLOB_DOUBTED = "blob.doubted", "{by} found a reason to doubt {it}"
    BLOB_SUSPECTED = "blob.suspected", "{by} suspended {it}, which changed in the store"
    BLOB_QUARANTINED = "blob.quarantined", "{by} quarantined {it}"
    BLOB_REFUSED = "blob.refused", "{by} refused {it}"
    BLOB_REPLACED = "blob.replaced", "{by} replaced {it}"
    BLOB_LIFT_ASKED = "blob.lift_asked", "{by} requested the end of the quarantine of {it}"

    INSPECTION_OVERRIDE_ASKED = "inspection.override_asked", "{by} requested an override for {it}"
    INSPECTION_OVERRIDDEN = "inspection.overridden", "{by} overrode the refusal of {it}"
    # Recorded before there were change requests.
    INSPECTION_OVERRIDE_DECLINED = (
        "inspection.override_declined",
        "{by} declined an override for {it}",
    )

    UPLOAD_REFUSED = "upload.refused", "{by} sent other bytes than announced to {it}"

    STORE_SURVEYED = "store.surveyed", "{by} surveyed the store"

    RECALL_OPENED = "recall.opened", "{by} opened the {it}"
    RECALL_REPAIRED = "recall.repaired", "{by} repaired the {it}"
    RECALL_FETCHERS_EXPORTED = "recall.fetchers_exported", "{by} exported the people of the {it}"

    MANIFEST_SIGNED = "manifest.signed", "{by} signed the manifest of {it}"

    MANIFEST_KEY_INTRODUCED = "manifest_key.introduced", "{by} introduced {it}"
    MANIFEST_KEY_RETIRED = "manifest_key.retired", "{by} retired {it}"
    MANIFEST_KEY_COMPROMISED = "manifest_key.compromised", "{by} marked {it} as compromised"

    CHECKPOINT_LINK_REQUESTED = "checkpoint_link.requested", "{by} requested {it}"
    CHECKPOINT_LINK_ISSUED = "checkpoint_link.issued", "{by} received {it}"
    CHECKPOINT_LINK_FAILED = "checkpoint_link.failed", "The portal could not issue {it}"
    CHECKPOINT_LINK_REVOKED = "checkpoint_link.revoked", "{by} revoked {it}"

    FILE_LINK_ISSUED = "file_link.issued", "{by} received a link to a file of {it}"

    DOWNLOAD_PLAN_MADE = "download_plan.made", "{by} received a download plan of {it}"

    GATE_STRANGERS_REFUSED = "gate.strangers_refused", "The gate refused anonymous callers"
    GATE_REFUSALS_UNWRITTEN = "gate.refusals_unwritten", "The gate counted further refusals"

    EXPORT_ASKED = "export.asked", "{by} requested the data of {it}"
    EXPORT_MADE = "export.made", "{by} prepared the data of {it}"
    EXPORT_FETCHED = "export.fetched", "{by} downloaded the data of {it}"

    REPORT_MADE = "report.made", "{by} received {it}"
    REPORT_ASSIGNED = "report.assigned", "{by} assigned {it}"
    REPORT_NOTED = "report.noted", "{by} wrote a note on {it}"
    REPORT_SUSPENDED = "report.suspended", "{by} suspended access after {it}"
    REPORT_ISSUE = "report.issue", "{by} published an issue from {it}"
    REPORT_FINDING = "report.finding", "{by} published a finding from {it}"
    REPORT_RECALL = "report.recall", "{by} requested a recall after {it}"
    REPORT_DISMISSED = "report.dismissed", "{by} closed {it} without action"

    ISSUE_PUBLISHED = "issue.published", "{by} published {it}"
    ISSUE_RESOLVED = "issue.resolved", "{by} marked {it} as resolved"
    ISSUE_WITHDRAWN = "issue.withdrawn", "{by} withdrew {it}"

    LOGBOOK_LOADED = "logbook.loaded", "{by} loaded the shipped logbook"
    LOGBOOK_ENTRY_ADDED = "logbook_entry.added", "{by} added {it}"
    LOGBOOK_ENTRY_CHANGED = "logbook_entry.changed", "{by} changed {it}"
    LOGBOOK_ENTRY_DELETED = "logbook_entry.deleted", "{by} deleted {it}"
    LOGBOOK_CURVE_ADDED = "logbook_curve.added", "{by} added {it}"
    LOGBOOK_CURVE_CHANGED = "logbook_curve.changed", "{by} changed {it}"
    LOGBOOK_CURVE_DELETED = "logbook_curve.deleted", "{by} deleted {it}"
