"""Staff roles and the permissions of their groups. Plain Python, no database."""

from django.db import models


class Role(models.TextChoices):
    """Staff roles (docs/operating.md#people); the value is also the name of the group."""

    REVIEWER = "reviewer", "Reviewer"
    LEAD_REVIEWER = "lead-reviewer", "Lead reviewer"
    RELEASE_OWNER = "release-owner", "Release owner"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


#: Roles that read and decide the applications of their tiers.
DECIDERS = frozenset({Role.REVIEWER, Role.LEAD_REVIEWER})
#: Roles that read the applications of their tiers.
APPLICATION_READERS = DECIDERS | {Role.AUDITOR}
#: Roles that commit to checkpoints, publish and withdraw them.
OWNERS = frozenset({Role.RELEASE_OWNER})
#: Roles that give and end access outside a review.
GRANT_MANAGERS = frozenset({Role.LEAD_REVIEWER})
#: Roles that see private checkpoints (docs/glossary.md).
PRIVATE_READERS = frozenset({Role.RELEASE_OWNER, Role.AUDITOR, Role.ADMINISTRATOR})

_VIEW_WORKFLOW = [
    "accounts.view_changerequest",
    "accounts.view_application",
    "accounts.view_decision",
    "accounts.view_reasontext",
    "accounts.view_grant",
    "accounts.view_tier",
    "accounts.view_tierchange",
    "accounts.view_licenceversion",
]
_VIEW_WEIGHTS = [
    "weights.view_checkpoint",
    "weights.view_revision",
    "weights.view_file",
    "weights.view_blob",
    "weights.view_verificationrun",
    "weights.view_storesurvey",
    "weights.view_storefinding",
    "weights.view_inspection",
    "weights.view_inspectionoverride",
    "weights.view_ref",
    "weights.view_family",
    "weights.view_recall",
    "weights.view_upload",
    "weights.view_manifestkey",
    "weights.view_manifestsignature",
    "weights.view_logbookentry",
    "weights.view_logbookseries",
]

_EDIT_LOGBOOK = [
    f"weights.{verb}_{model}"
    for model in ("logbookentry", "logbookseries")
    for verb in ("add", "change", "delete")
]
_EDIT_FAMILIES = ["weights.add_family", "weights.change_family"]
_TRIAGE = [
    *("weights.view_report", "weights.triage_report"),
    *("weights.view_knownissue", "weights.add_knownissue"),
]

#: role -> the permissions of its group, as `app.codename`.
PERMISSIONS: dict[str, list[str]] = {
    Role.REVIEWER: [*_VIEW_WORKFLOW, "accounts.review_application", "weights.view_inspection"],
    Role.LEAD_REVIEWER: [
        *_VIEW_WORKFLOW,
        "accounts.review_application",
        "weights.view_inspection",
        "accounts.add_reasontext",
        *_TRIAGE,
        "accounts.revoke_grant",
        "accounts.give_grant",
    ],
    Role.RELEASE_OWNER: [
        "accounts.view_changerequest",
        *_VIEW_WEIGHTS,
        *_TRIAGE,
        *_EDIT_LOGBOOK,
        *_EDIT_FAMILIES,
        "weights.publish_checkpoint",
        "weights.verify_blob",
        "weights.read_fetchers",
        "weights.change_checkpoint",
        "accounts.view_tier",
        "accounts.view_tierchange",
        "accounts.change_tier",
        "accounts.view_licence",
        "accounts.add_licence",
        "accounts.view_licenceversion",
        "accounts.add_licenceversion",
        "accounts.view_question",
        "accounts.add_question",
        "accounts.change_question",
    ],
    Role.AUDITOR: [
        *_VIEW_WORKFLOW,
        *_VIEW_WEIGHTS,
        "accounts.view_auditevent",
        "accounts.view_apitoken",
        "accounts.view_user",
        "weights.view_report",
        "weights.view_knownissue",
        "weights.view_download",
        "weights.read_fetchers",
        "weights.view_checkpointlink",
    ],
    Role.ADMINISTRATOR: [
        "accounts.view_changerequest",
        "accounts.view_user",
        "accounts.add_user",
        "accounts.change_user",
        "accounts.erase_user",
        "accounts.view_holderrecord",
        "accounts.view_roleassignment",
        "accounts.add_roleassignment",
        "accounts.delete_roleassignment",
        "accounts.view_tier",
        "accounts.view_tierchange",
        "accounts.add_tier",
        "accounts.change_tier",
        "accounts.view_outgoingmail",
        "accounts.view_apitoken",
        "accounts.view_auditevent",
        *_VIEW_WEIGHTS,
        *_EDIT_LOGBOOK,
        *_EDIT_FAMILIES,
    ],
}
