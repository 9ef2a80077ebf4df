"""Kinds, states and actions of reports, and the roles that triage them."""

from django.db import models

from accounts.roles.permissions import Role


class Kind(models.TextChoices):
    MISUSE = "misuse", "Misuse of a model"
    LEAK = "leak", "Weights that were passed on"
    BAD_FILE = "bad_file", "A bad file"
    FINDING = "finding", "A research finding"


class State(models.TextChoices):
    NEW = "new", "New"
    TRIAGED = "triaged", "Under investigation"
    ACTED = "acted", "Action taken"
    DISMISSED = "dismissed", "Closed without action"


class Deed(models.TextChoices):
    """An action of staff on a report."""

    ASSIGNED = "assigned", "Assigned"
    NOTED = "noted", "Internal note"
    SUSPENDED = "suspended", "Suspended a grant"
    ISSUE = "issue", "Published a known issue"
    FINDING = "finding", "Published a finding"
    RECALL = "recall", "Requested a recall"
    DISMISSED = "dismissed", "Closed without action"


#: Texts of the actions on the report's public page; others and all details are internal.
PUBLIC_DEEDS = {
    Deed.ASSIGNED: "Somebody is investigating it",
    Deed.SUSPENDED: "Access was suspended",
    Deed.ISSUE: "A known issue was published",
    Deed.FINDING: "A finding was published",
    Deed.RECALL: "A recall was requested",
    Deed.DISMISSED: "It was closed without action",
}
#: Roles that triage each kind.
TRIAGERS: dict[str, frozenset[Role]] = {
    Kind.MISUSE: frozenset({Role.LEAD_REVIEWER}),
    Kind.LEAK: frozenset({Role.LEAD_REVIEWER}),
    Kind.BAD_FILE: frozenset({Role.RELEASE_OWNER}),
    Kind.FINDING: frozenset({Role.RELEASE_OWNER}),
}
MIN_TEXT_LENGTH, MAX_TEXT_LENGTH = 40, 5000
