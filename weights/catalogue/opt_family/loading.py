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
from weights.family_facts import parts

#: Increase when entries are added or changed; an install loads each version once.
SEED_VERSION = 3
_OPEN_TO_ALL = "Anyone may download, without an account. Each checkpoint states its own licence."


@transaction.atomic
def load() -> bool:
    """Creates missing licence, tiers, family and checkpoints; returns False if already loaded.

    Existing rows stay unchanged, and deleted ones are not recreated.
    """
    loaded = AuditEvent.objects.filter(action=WeightsEvent.CATALOGUE_LOADED)
    if loaded.filter(details__seed__gte=SEED_VERSION).exists():
        return False
    if not loaded.exists():
        _load_all()
    else:
        if not loaded.filter(details__seed__gte=2).exists():
            _move_licence_to_checkpoints()
        _add_sourced_parts()
    AuditEvent.record(WeightsEvent.CATALOGUE_LOADED, details={"seed": SEED_VERSION})
    return True


def _load_all() -> None:
    licence = _licence()
    tiers = {"open": _open_tier(), "opt-175b": _reviewed_tier(licence)}
    family, _ = Family.objects.get_or_create(slug="opt", defaults=entries.family())
    for entry in entries.checkpoints():
        _checkpoint(entry, family, tiers[entry.tier], licence)


def _move_licence_to_checkpoints() -> None:
    """Moves the OPT licence from the open tier of seed 1 to the OPT checkpoints in it.

    Until then it was shown for every checkpoint of that tier, whatever its own licence.
    """
    tier = Tier.objects.filter(slug="open", mode=AccessMode.OPEN, licence__slug="opt-175b").first()
    if tier is None:
        return
    sizes = Checkpoint.objects.filter(tier=tier, family__slug="opt", licence=None)
    sizes.update(licence=tier.licence)
    tier.licence, tier.duo_codes, tier.description = None, [], _OPEN_TO_ALL
    services.save_tier(tier, by=None)


def _add_sourced_parts() -> None:
    """Adds the family's footprint and openness of seed 3, and sources to older limitations."""
    family = Family.objects.filter(slug="opt").first()
    if family is None:
        return
    shipped = entries.family()["facts"]
    for key in ("footprint", "openness"):
        family.facts.setdefault(key, shipped[key])
    if not parts.read(family.facts).limitations:
        family.facts["limitations"] = shipped["limitations"]
    family.save(update_fields=["facts"])


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


def _tier(slug: str, **fields: Any) -> Tier:
    tier = Tier.objects.filter(slug=slug).first()
    if tier is None:
        tier = Tier(slug=slug, **fields)
        services.save_tier(tier, by=None)
    return tier


def _open_tier() -> Tier:
    return _tier("open", name="Open", description=_OPEN_TO_ALL, mode=AccessMode.OPEN)


def _reviewed_tier(licence: Licence) -> Tier:
    return _tier(
        "opt-175b",
        licence=licence,
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


def _checkpoint(entry: entries.Entry, family: Family, tier: Tier, licence: Licence) -> None:
    named = Checkpoint.objects.filter(org__iexact=entry.org, name__iexact=entry.name)
    if tier.retired_at or named.exists():
        return
    checkpoint = Checkpoint.objects.create(
        org=entry.org,
        name=entry.name,
        title=entry.title,
        summary=entry.summary,
        family=family,
        tier=tier,
        licence=None if tier.is_gated else licence,
        facts=entry.facts,
        parameters=entry.parameters,
        card=entry.card,
    )
    checkpoint_tiers.record_new_checkpoint(checkpoint, by=None, role=services.SET_UP)
