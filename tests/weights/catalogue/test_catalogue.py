"""The OPT family's catalogue entries: correct numbers, loaded once, owners' changes kept."""

import json
import re

import pytest

from accounts.audit.models import AuditEvent
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, LicenceVersion, Tier, TierChange
from weights.catalogue import facts, licences, opt_family
from weights.catalogue.models import Checkpoint, Family
from weights.catalogue.opt_family import entries as opt
from weights.catalogue.opt_family import loading

SIZES = ["125m", "350m", "1.3b", "2.7b", "6.7b", "13b", "30b", "66b", "175b"]


def parameters_from(layers: int, width: int, embedding: int, *, final_norm: bool) -> int:
    """OPT's parameters counted independently: embeddings, positions, blocks, norm, projections."""
    block = 4 * (width * width + width) + 2 * 2 * width
    block += 2 * 4 * width * width + 4 * width + width
    outside = 50272 * embedding + (2048 + 2) * width
    if embedding != width:
        outside += 2 * width * embedding
    return outside + layers * block + (2 * width if final_norm else 0)


@pytest.mark.parametrize("entry", opt.checkpoints(), ids=lambda entry: entry.name)
def test_the_exact_parameters_follow_from_the_architecture(entry: opt.Entry) -> None:
    value = {key: kept["value"] for key, kept in entry.facts.items()}
    embedding = value.get("word_embed_proj_dim", value["d_model"])
    counted = parameters_from(
        value["layers"],
        value["d_model"],
        embedding,
        final_norm=value["normalisation"] == "before each block",
    )
    assert counted == entry.parameters == value["parameters"]
    assert value["bytes_fp16"] == 2 * entry.parameters
    assert value["heads"] * value["head_dim"] == value["d_model"]
    assert value["ffn_dim"] == 4 * value["d_model"]


@pytest.mark.parametrize("entry", opt.checkpoints(), ids=lambda entry: entry.name)
def test_every_fact_has_a_label_a_value_and_a_source_that_is_explained(entry: opt.Entry) -> None:
    explained = opt.family()["facts"]["sources"]
    for fact in facts.displayed(entry.facts):
        assert fact.label
        assert fact.text
        assert any(fact.source.startswith(name) for name in explained), fact


@pytest.mark.parametrize("entry", opt.checkpoints(), ids=lambda entry: entry.name)
def test_every_card_is_filled_in_and_carries_the_notice(entry: opt.Entry) -> None:
    assert "$" not in entry.card
    assert "None" not in entry.card
    assert f"{entry.parameters:,}" in entry.card
    assert opt.LICENCE["attribution"] in entry.card
    assert "@misc{zhang2022opt" in entry.card


def test_learning_rates_and_sizes_read_as_in_the_literature() -> None:
    assert facts.as_text("learning_rate_peak", 0.00012) == "1.2e-4"
    assert facts.as_text("learning_rate_peak", 8e-05) == "8e-5"
    assert facts.as_text("release_date", "2022-05-03") == "3 May 2022"
    assert (
        facts.as_text("bytes_fp16", 349208936448) == "349,208,936,448 bytes (349.2 GB, 325.2 GiB)"
    )


def test_facts_keep_their_order_without_help_from_the_database() -> None:
    shuffled = dict(sorted(opt.checkpoints()[-1].facts.items(), reverse=True))
    shown = [fact.key for fact in facts.displayed({"zz": {"value": 1}, **shuffled})]
    assert shown[:3] == ["parameters", "layers", "heads"]
    assert shown[-1] == "zz"


def test_a_fact_that_is_not_known_is_not_shown() -> None:
    assert facts.displayed({"layers": {"value": None, "source": ""}}) == []


@pytest.mark.django_db
def test_nine_entries_stand_in_the_catalogue_and_hold_no_bytes() -> None:
    opt_family.load()
    entries = Checkpoint.objects.filter(org="facebook")
    assert {entry.name for entry in entries} == {f"opt-{size}" for size in SIZES}
    assert not entries.published().exists()
    assert {entry.tier.slug for entry in entries} == {"open", "opt-175b"}
    assert [entry.name for entry in entries.filter(tier__slug="opt-175b")] == ["opt-175b"]
    assert not entries.filter(synthetic=True).exists()


@pytest.mark.django_db
def test_the_tiers_and_the_licence_are_those_of_the_release() -> None:
    opt_family.load()
    gated = Tier.objects.get(slug="opt-175b")
    assert Tier.objects.get(slug="open").access_mode is AccessMode.OPEN
    assert (gated.access_mode, gated.term_days) == (AccessMode.REVIEWED, 365)
    assert Tier.objects.filter(pk=gated.pk, blocked_countries="CU,IR,KP,SY").exists()
    version = gated.licence_in_force()
    assert version is not None
    assert version.is_sample
    assert version.licence.attribution in version.text
    assert "72 hours" in version.text
    assert version.licence.original_url in version.text


@pytest.mark.django_db
def test_loading_again_changes_nothing() -> None:
    assert opt_family.load()
    assert not opt_family.load()
    assert Checkpoint.objects.count() == 9
    assert LicenceVersion.objects.count() == Licence.objects.count() == 1
    assert AuditEvent.objects.filter(action="catalogue.loaded").count() == 1


@pytest.mark.django_db
def test_the_open_tier_has_no_licence_and_each_size_in_it_has_its_own() -> None:
    opt_family.load()
    tier = Tier.objects.get(slug="open")
    assert (tier.licence, tier.duo_codes) == (None, [])
    assert "research" not in tier.description
    for size in Checkpoint.objects.filter(tier=tier):
        shown = licences.of_checkpoint(size, None)
        assert shown is not None
        assert shown.title == "OPT-175B research licence"


@pytest.mark.django_db
def test_an_install_of_the_first_seed_gives_the_licence_of_its_open_tier_to_the_opt_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as first:
        first.setattr(loading, "SEED_VERSION", 1)
        opt_family.load()
    tier, gated = Tier.objects.get(slug="open"), Tier.objects.get(slug="opt-175b")
    Checkpoint.objects.update(licence=None)
    Tier.objects.filter(slug="open").update(licence=gated.licence, duo_codes=["DUO:0000042"])
    ours = Checkpoint.objects.create(org="acme", name="apache", tier=tier)
    Checkpoint.objects.get(name="opt-350m").delete()

    assert opt_family.load()
    tier.refresh_from_db()
    assert (tier.licence, tier.duo_codes) == (None, [])
    assert TierChange.objects.filter(tier=tier, kind="changed").count() == 1
    sizes = Checkpoint.objects.filter(tier=tier, family__slug="opt")
    assert {size.licence for size in sizes} == {gated.licence}
    ours.refresh_from_db()
    assert ours.licence is None
    assert not Checkpoint.objects.filter(name="opt-350m").exists()
    assert not opt_family.load()


@pytest.mark.django_db
def test_changes_and_removals_by_an_owner_persist() -> None:
    opt_family.load()
    Tier.objects.filter(slug="opt-175b").update(term_days=30, blocked_countries="")
    Checkpoint.objects.filter(name="opt-66b").update(summary="Ours")
    Checkpoint.objects.get(name="opt-350m").delete()
    opt_family.load()
    assert Tier.objects.get(slug="opt-175b").term_days == 30
    assert Checkpoint.objects.get(name="opt-66b").summary == "Ours"
    assert not Checkpoint.objects.filter(name="opt-350m").exists()


@pytest.mark.django_db
def test_an_owners_own_entry_of_the_same_name_is_left_alone() -> None:
    licence = Licence.objects.create(slug="opt-175b", title="Ours")
    tier = Tier.objects.create(slug="open", name="Ours", mode="open", licence=licence)
    Checkpoint.objects.create(org="Facebook", name="OPT-125m", tier=tier, summary="Ours")
    opt_family.load()
    assert Checkpoint.objects.filter(name__iexact="opt-125m").count() == 1
    assert Licence.objects.get(slug="opt-175b").title == "Ours"
    assert not licence.versions.exists()
    assert Family.objects.get(slug="opt").checkpoints.count() == 8


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[1]", "facts must be an object"),
        ('"s"', "facts must be an object"),
        ("5", "facts must be an object"),
        ('{"x": 1}', "is not a fact"),
        ('{"x": {"value": [1]}}', "must be a number below 2^63 or text"),
        ('{"x": {"value": NaN}}', "must be a number below 2^63 or text"),
        ('{"x": {"value": "\\u0000"}}', "must be a number below 2^63 or text"),
        ('{"x": {"value": 1, "source": 5}}', "must be text in quotes"),
        ('{"x": {"value": 1, "colour": "red"}}', "a fact has value, label, source"),
        ('{"release_date": {"value": "soon"}}', "must be a day, such as 2022-05-03"),
        ('{"release_date": {"value": 5}}', "must be a day, such as 2022-05-03"),
        ('{"bytes_fp16": {"value": "much"}}', "a whole number of bytes"),
        (f'{{"bytes_fp16": {{"value": 1{"0" * 400}}}}}', "must be a number below 2^63 or text"),
    ],
)
@pytest.mark.one_database
def test_facts_that_no_page_could_show_are_refused(written: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        facts.validate(json.loads(written))


@pytest.mark.parametrize("entry", opt.checkpoints(), ids=lambda entry: entry.name)
def test_the_shipped_facts_are_taken(entry: opt.Entry) -> None:
    facts.validate(entry.facts)
