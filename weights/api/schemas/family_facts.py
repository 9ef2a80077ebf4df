"""The footprint and openness of a checkpoint's family."""

from ninja import Schema
from pydantic import Field

from weights.catalogue.models import Family
from weights.family_facts import parts
from weights.family_facts.footprint import Footprint
from weights.family_facts.openness import Openness


class RangeOut(Schema):
    low: float
    high: float


class FootprintOut(Schema):
    """Energy and carbon of training, estimated from `inputs`; each figure has its source."""

    repo: str
    family: str | None
    footprint: Footprint | None = Field(description="Null if the family states none")
    energy_kwh: RangeOut | None = Field(description="GPU hours × watts / 1000 × PUE")
    carbon_tonnes: RangeOut | None = Field(description="Energy × kg_per_kwh / 1000")

    @classmethod
    def of(cls, repo: str, family: Family | None) -> "FootprintOut":
        footprint = parts.read(family.facts).footprint if family else None
        energy, carbon = (footprint.energy, footprint.carbon) if footprint else (None, None)
        return cls(
            repo=repo,
            family=family.slug if family else None,
            footprint=footprint,
            energy_kwh=RangeOut(low=energy[0], high=energy[1]) if energy else None,
            carbon_tonnes=RangeOut(low=carbon[0], high=carbon[1]) if carbon else None,
        )


class OpennessOut(Schema):
    """What a family released, and its class of the Model Openness Framework."""

    repo: str
    family: str | None
    openness: Openness | None = Field(description="Null if the family states nothing")
    mof_class: int | None = Field(description="1 to 3, 1 being the most open; null for none")
    lacking: list[str] = Field(description="Components that the next class lacks")

    @classmethod
    def of(cls, repo: str, family: Family | None) -> "OpennessOut":
        openness = parts.read(family.facts).openness if family else None
        return cls(
            repo=repo,
            family=family.slug if family else None,
            openness=openness,
            mof_class=openness.mof_class if openness else None,
            lacking=openness.lacking if openness else [],
        )
