"""Full text search over names, tags, cards and logbook entries, on both databases."""

from datetime import date
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.background.models import FailedItem
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.hub_api.listings import card, ids
from weights.catalogue import search
from weights.catalogue.models import Checkpoint, Family, SearchDocument
from weights.catalogue.search import documents, postgresql, sqlite
from weights.catalogue.search.words import query_words, words
from weights.logbook.models import Cause, LogbookEntry
from weights.publishing import withdrawal
from weights.storage import blob_storage
from weights.storage.models import Blob

pytestmark = pytest.mark.django_db

HOSTILE = [
    *("'", '"', "''; DROP TABLE weights_checkpoint; --", "a OR 1=1", "NEAR(a b)", "a* AND NOT b"),
    *(
        "names:opt",
        "opt:*",
        "!opt & (",
        "^opt",
        "{names} : opt",
        "-opt",
        "\\",
        "%",
        "_",
        "*",
        "&|!()<->",
    ),
    *(
        "\0",
        "\ud800",
        "<script>alert(1)</script>",
        "\u202eopt",
        "o" * 10_000,
        "opt " * 3_000,
        "。" * 50,
    ),
]


def entry(name: str, tier: Tier, **fields: object) -> Checkpoint:
    return Checkpoint.objects.create(org="acme", name=name, tier=tier, **fields)


def found(text: str) -> set[str]:
    documents.sweep()
    return set(Checkpoint.objects.filter(pk__in=search.ranks(text)).values_list("name", flat=True))


def test_names_tags_cards_and_logbook_entries_are_found(store: Path, open_tier: Tier) -> None:
    family = Family.objects.create(slug="opt", name="Open Pretrained")
    readme = card(tags=["birdsong"], license="mit") + b"\nIt sings in the *caf\xc3\xa9*.\n"
    factories.published("acme/carded", files={"README.md": readme})
    logged = entry("logged", open_tier, family=family)
    entry("described", open_tier, title="A nightingale", card="# Of the forest")
    LogbookEntry.objects.create(
        checkpoint=logged, date=date(2021, 11, 1), cause=Cause.HARDWARE, title="Loss exploded"
    )
    LogbookEntry.objects.create(
        family=family, date=date(2021, 11, 2), cause=Cause.RESTART, title="x", text="A node hung"
    )
    assert found("birdsong") == {"carded"}
    assert found("CAFE sings") == found("café") == {"carded"}
    assert found("license:mit") == {"carded"}
    assert found("nightingale") == found("forest") == {"described"}
    assert found("exploded") == found("node hung") == {"logged"}
    assert found("pretrained") == {"logged"}
    assert found("acme") == {"carded", "logged", "described"}
    assert found("birdsong nightingale") == set()
    assert found("night") == {"described"}  # the beginning of a word
    assert found("ingale") == set()


def test_a_match_in_the_name_ranks_above_one_in_the_text(open_tier: Tier) -> None:
    entry("whale", open_tier)
    entry("other", open_tier, card="The whale is a mammal. " + "It swims. " * 50)
    documents.sweep()
    ranks = search.ranks("whale")
    names = dict(Checkpoint.objects.values_list("name", "pk"))
    assert ranks[names["whale"]] > ranks[names["other"]] > 0


def test_changes_of_every_source_renew_the_document(
    store: Path, open_tier: Tier, release_owner: User
) -> None:
    checkpoint = entry("model", open_tier, card="old words")
    assert found("old") == {"model"}
    Checkpoint.objects.update(card="new words", title="Titled")
    assert found("old") == set()
    assert found("new titled") == {"model"}
    noted = LogbookEntry.objects.create(
        checkpoint=checkpoint, date=date(2021, 1, 1), cause=Cause.DATA, title="Shuffled"
    )
    assert found("shuffled") == {"model"}
    noted.delete()
    assert found("shuffled") == set()
    revision = factories.published("acme/model", files={"README.md": b"# From the files\n"})
    assert found("files") == {"model"}
    assert found("new words") == set()
    Blob.objects.update(state=Blob.State.QUARANTINED)
    assert found("files") == set()
    Blob.objects.update(state=Blob.State.VERIFIED)
    assert found("files") == {"model"}
    withdrawal.withdraw(revision, "It is wrong.", by=release_owner)
    assert found("files") == set()
    assert found("new words") == {"model"}
    checkpoint.refs.all().delete()
    assert SearchDocument.objects.count() == 1


def test_a_sweep_without_changes_writes_nothing(
    open_tier: Tier, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        entry(f"model-{number}", open_tier)
    assert documents.sweep() == 5
    with django_assert_num_queries(4):
        assert documents.sweep() == 0


def test_a_card_that_the_store_lost_stops_no_other(store: Path, open_tier: Tier) -> None:
    lost = factories.published("acme/lost", files={"README.md": b"# Lost card\n"})
    blob_storage().delete(lost.files.get().sha256)
    entry("other", open_tier, card="kept card")
    assert found("card") == {"other"}
    failed = FailedItem.objects.get()
    assert (failed.step, failed.item) == ("search documents", lost.checkpoint_id)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_neither_fails_nor_finds_more(
    client: Client, open_tier: Tier, text: str
) -> None:
    entry("opt-125m", open_tier)
    sent = text.encode(errors="replace").decode()
    card_text = f"opt {sent[:100]}".replace("\0", "")
    entry("hidden", open_tier, private=True, card=card_text)
    documents.sweep()
    page = client.get("/models", {"q": sent})
    assert page.status_code == 200
    assert {one.checkpoint.name for one in page.context["checkpoints"]} <= {"opt-125m"}
    assert search.ranks("") == search.ranks("!!!") == {}


def test_the_hubs_search_and_the_api_find_words_of_cards(client: Client, store: Path) -> None:
    factories.published("acme/singing", files={"README.md": b"# Birds\n\nOf the nightingale.\n"})
    factories.published("acme/silent", files={"README.md": b"# Fish\n"})
    documents.sweep()
    assert ids(client, "?search=nightingale") == ["acme/singing"]
    listed = client.get("/api/v1/checkpoints?search=nightingale").json()
    assert [one["repo"] for one in listed["checkpoints"]] == ["acme/singing"]


def test_words_are_letters_and_digits_without_case_and_accents() -> None:
    assert words("OPT-1.3B_Café, ﬁne") == ["opt", "1", "3b", "cafe", "fine"]
    assert query_words("a " * 500 + "b") == ["a"]
    assert len(query_words(" ".join(map(str, range(99))))) == 20


def test_the_search_uses_its_index(open_tier: Tier) -> None:
    Checkpoint.objects.bulk_create(
        Checkpoint(org="acme", name=f"model-{number}", tier=open_tier) for number in range(300)
    )
    SearchDocument.objects.bulk_create(
        SearchDocument(checkpoint=one, names=one.name, body=f"words of number{one.pk}")
        for one in Checkpoint.objects.all()
    )
    is_postgresql = connection.vendor == "postgresql"
    vendor = postgresql if is_postgresql else sqlite
    explain = "EXPLAIN " if is_postgresql else "EXPLAIN QUERY PLAN "
    with connection.cursor() as cursor:
        if is_postgresql:
            cursor.execute("ANALYZE weights_searchdocument")
            cursor.execute("SET LOCAL enable_seqscan = off")  # three hundred rows fit in few pages
        cursor.execute(explain + vendor.STATEMENT, [vendor.query(["number7"])])
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert ("searchdocument_by_words" if is_postgresql else "VIRTUAL TABLE INDEX") in plan
