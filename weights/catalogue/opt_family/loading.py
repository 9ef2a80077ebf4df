"""Loads the shipped entries into the database, once."""

from typing import Any

from django.db import transaction

from accounts.audit.models import AuditEvent
from accounts.tiers import services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, LicenceVersion, Tier
from weights.catalogue import checkpoint_tiers
from weights.catalogue.models import Checkpoint, Family
from weights.catalogue.opt_family import entries
from weights.event_tags import WeightsEvent

#: Increase when entries are added; an install loads each version once.
SEED_VERSION = 1


@transaction.atomic
def load() -> bool:
    """Creates missing licence, tiers, family and checkpoints. Returns False if loaded before.

    Existing rows stay unchanged, and deleted ones do not return before the next SEED_VERSION.
    """
    loaded = AuditEvent.objects.filter(action=WeightsEvent.CATALOGUE_LOADED)
    if loaded.filter(details__seed__gte=SEED_VERSION).exists():
        return False
    licence = _licence()
    tiers = {"open": _open_tier(licence), "opt-175b": _reviewed_tier(licence)}
    family, _ = Family.objects.get_or_create(slug="opt", defaults=entries.family())
    for entry in entries.checkpoints():
        _checkpoint(entry, family, tiers[entry.tier])
    AuditEvent.record(WeightsEvent.CATALOGUE_LOADED, details={"seed": SEED_VERSION})
    return True


def _licence() -> Licence:
    licence, created = Licence.objects.get_or_create(slug="opt-175b", defaults=entries.LICENCE)
    if created:
        LicenceVersion.objects.create(
            licence=licence,
            version="sample-1",
            text=entries.licence_text(),
            summary="Sample text shipped with the portal",
            is_sample=True,
        )
    return licence


def _tier(slug: str, licence: Licence, **fields: Any) -> Tier:
    tier = Tier.objects.filter(slug=slug).first()
    if tier is None:
        tier = Tier(slug=slug, licence=licence, **fields)
        services.save_tier(tier, by=None)
    return tier


def _open_tier(licence: Licence) -> Tier:
    return _tier(
        "open",
        licence,
        name="Open",
        description="Anyone may download, without an account. The licence still binds: "
        "research only, no commercial use.",
        mode=AccessMode.OPEN,
        duo_codes=["DUO:0000042", "DUO:0000046"],
    )


def _reviewed_tier(licence: Licence) -> Tier:
    return _tier(
        "opt-175b",
        licence,
        name="OPT-175B",
        description="For researchers in academia, government, civil society and industry "
        "laboratories, on an application that a person reads. Research only.",
        mode=AccessMode.REVIEWED,
        term_days=365,
        duo_codes=[
            *("DUO:0000042", "DUO:0000046", "DUO:0000026"),
            *("DUO:0000022", "DUO:0000025"),
        ],
        # The licence excludes countries under a United States embargo. This list is a sample
        # that the release owner keeps up to date in the admin.
        blocked_countries="CU,IR,KP,SY",
    )


def _checkpoint(entry: entries.Entry, family: Family, tier: Tier) -> None:
    if Checkpoint.objects.filter(org__iexact=entry.org, name__iexact=entry.name).exists():
        return
    checkpoint = Checkpoint.objects.create(
        org=entry.org,
        name=entry.name,
        title=entry.title,
        summary=entry.summary,
        family=family,
        tier=tier,
        facts=entry.facts,
        parameters=entry.parameters,
        card=entry.card,
    )
    checkpoint_tiers.record_new_checkpoint(checkpoint, by=None)
