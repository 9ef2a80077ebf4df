"""Facts that the usual statement does not read; a rule asks for the one it needs.

They determine the wording of a refusal, the notice period of a licence, or what staff may see.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from django.db.models import Exists, Subquery

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.gate.facts import NEVER, Facts, History, Lookup
from weights.gate.statement import Row
from weights.publishing.models import Revision


def supply(lookup: Lookup, facts: Facts, row: Row, now: datetime) -> Facts:
    """Returns the facts with the one that a rule asked for."""
    value: Any
    match lookup:
        case Lookup.VISIBILITY:
            value = _staff_may_know(facts)
        case Lookup.FIRST_VERIFICATION:
            pending = Revision.objects.pending().filter(checkpoint=row.checkpoint_id)
            value = pending.exists()
        case Lookup.HISTORY:
            value = _history(facts, row)
        case Lookup.ACCEPTANCE:
            value = _acceptance_ends(row, now)
    return replace(facts, **{lookup.value: value})


def _staff_may_know(facts: Facts) -> bool:
    """True if this person's roles cover the hidden checkpoint."""
    person = User.objects.get(pk=cast(int, facts.user_id))
    visible = Checkpoint.objects.visible_to(person)
    return visible.filter(pk=cast(int, facts.checkpoint_id)).exists()


def _history(facts: Facts, row: Row) -> History:
    """The newest grant and application; behind a link, only the link's own grant."""
    grants = Grant.objects.filter(user=facts.user_id, tier=row.tier_id)
    if facts.link_grant_id is not None:
        grants = grants.filter(pk=facts.link_grant_id)
    grants = grants.order_by("-starts_at")
    applications = (
        Application.objects.filter(applicant=facts.user_id, tier=row.tier_id)
        .exclude(status=Status.DRAFT)
        .order_by("-submitted_at")
    )
    newest = User.objects.filter(pk=cast(int, facts.user_id)).values_list(
        Subquery(grants.values("state")[:1]),
        Subquery(grants.values("starts_at")[:1]),
        Subquery(applications.values("status")[:1]),
        Subquery(applications.values("submitted_at")[:1]),
        Exists(Tier.objects.filter(pk=row.tier_id, retired_at__isnull=False)),
    )
    state, starts, status, submitted, is_retired = newest.get()
    return History(state or "", starts, status or "", submitted, is_retired)


def _acceptance_ends(row: Row, now: datetime) -> datetime:
    """When the accepted text stops counting; `NEVER` if it was not replaced."""
    grants = Grant.objects.select_related("licence_version", "tier__licence")
    grant = grants.get(pk=cast(int, row.grant_id))
    return grant.acceptance_ends(grant.tier, grant.tier.accepted_licence.in_force_by(now)) or NEVER
