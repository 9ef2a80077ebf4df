"""The timeline, its filters, entries and feed, and what is hidden with a checkpoint."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint, Family
from weights.logbook.models import LogbookEntry, LogbookSeries
from weights.publishing.models import Ref

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def family() -> Family:
    return Family.objects.create(slug="acme", name="Acme")


@pytest.fixture
def checkpoint(open_tier: Tier, family: Family) -> Checkpoint:
    published = factories.published("acme/model", open_tier).checkpoint
    published.family = family
    published.save()
    return published


def entry(title: str, **fields: Any) -> LogbookEntry:
    values = {"date": date(2026, 1, 5), "cause": "hardware", "text": "Text.", **fields}
    return LogbookEntry.objects.create(title=title, **values)


def test_the_timeline_shows_entries_by_month_with_cause_source_and_rendered_text(
    client: Client, checkpoint: Checkpoint
) -> None:
    shown = entry(
        "Node lost",
        checkpoint=checkpoint,
        text="A **bad** node.<script>x</script>",
        source="Run log",
        source_url="https://example.org/log",
    )
    text = client.get("/logbook/").text
    assert "January 2026" in text
    assert "5 January 2026" in text
    assert "<strong>bad</strong>" in text
    assert "<script>x" not in text
    assert 'href="https://example.org/log"' in text
    assert shown.get_absolute_url() in text
    assert "Node lost" in client.get(shown.get_absolute_url()).text


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["First", "Second", "Third"]),
        ("order=newest", ["Third", "Second", "First"]),
        ("cause=data", ["Second"]),
        ("cause=nonsense", []),
        ("checkpoint=acme/model", ["First", "Third"]),
        ("checkpoint=acme/none", []),
        ("family=acme", ["First", "Third"]),
        ("q=needle", ["Second"]),
        ("q=FIRST", ["First"]),
        ("q=%00", []),
        ("cause=hardware&q=first", ["First"]),
    ],
)
def test_filters_and_search_choose_the_entries(
    client: Client, checkpoint: Checkpoint, family: Family, query: str, titles: list[str]
) -> None:
    other = factories.published("other/model").checkpoint
    entry("First", checkpoint=checkpoint)
    entry("Second", checkpoint=other, cause="data", text="a needle", date=date(2026, 1, 6))
    entry("Third", family=family, date=date(2026, 2, 1))
    months = client.get(f"/logbook/?{query}").context["months"]
    assert [one.entry.title for _, shown in months for one in shown] == titles


@pytest.mark.parametrize(
    "hidden", [{"private": True}, {"embargo_until": timezone.now() + timedelta(days=1)}]
)
def test_what_is_about_a_hidden_checkpoint_is_hidden_like_it(
    client: Client,
    checkpoint: Checkpoint,
    family: Family,
    release_owner: User,
    hidden: dict[str, Any],
) -> None:
    secret = entry("Secret event", checkpoint=checkpoint)
    wide = entry("Secret family event", family=family)
    curve(checkpoint)
    Checkpoint.objects.filter(pk=checkpoint.pk).update(**hidden)
    pages = ("/logbook/", "/logbook/?checkpoint=acme/model", "/logbook/feed.atom", "/sitemap.xml")
    for page in pages:
        text = client.get(page).text
        for name in ("Secret", "Loss", str(secret.public_id), str(wide.public_id)):
            assert name not in text, page
        if "checkpoint=" not in page:
            assert "acme" not in text.lower(), page
    for record in (secret, wide):
        assert client.get(record.get_absolute_url()).status_code == 404
    client.force_login(release_owner)
    assert client.get(secret.get_absolute_url()).status_code == 200
    assert "Secret event" in client.get("/logbook/").text
    assert "Secret" not in client.get("/logbook/feed.atom").text


def curve(checkpoint: Checkpoint, **fields: Any) -> LogbookSeries:
    values = {"title": "Loss", "axis": "step", "points": [[0, 11.0], [1000, 3.0], [2000, 2.5]]}
    return LogbookSeries.objects.create(checkpoint=checkpoint, **{**values, **fields})


def test_events_are_pinned_to_the_curve_and_listed_in_tables(
    client: Client, checkpoint: Checkpoint
) -> None:
    curve(checkpoint)
    pinned = entry("Loss spike", checkpoint=checkpoint, step=1500)
    entry("After the curve", checkpoint=checkpoint, step=9000)
    entry("Without a step", checkpoint=checkpoint)
    answer = client.get("/logbook/")
    (figure,) = answer.context["figures"]
    assert [(pin.entry.title, pin.value) for pin in figure.pinned] == [("Loss spike", "2.75")]
    assert figure.summary == "From 11 at step 0 to 2.5 at step 2,000."
    assert f'class="chart__pin" href="{pinned.get_absolute_url()}"' in answer.text
    assert "The numbered entries and the points, as tables" in answer.text
    assert client.get(pinned.get_absolute_url()).context["figures"][0].pinned


def test_a_step_links_to_the_branch_of_its_checkpoint(
    client: Client, checkpoint: Checkpoint
) -> None:
    main = Ref.objects.get(checkpoint=checkpoint, name="main")
    Ref.objects.create(checkpoint=checkpoint, name="step1000", revision=main.revision)
    entry("With a branch", checkpoint=checkpoint, step=1000)
    entry("Without one", checkpoint=checkpoint, step=2000)
    text = client.get("/logbook/").text
    assert "/acme/model/tree/step1000/" in text
    assert "step 2,000" in text
    assert "/acme/model/tree/step2000" not in text
    assert client.get("/acme/model/tree/step1000/", follow=True).status_code == 200


def test_the_checkpoint_shows_its_newest_entries_and_links_to_all(
    client: Client, checkpoint: Checkpoint, family: Family
) -> None:
    entry("Own event", checkpoint=checkpoint)
    entry("Family event", family=family)
    text = client.get("/acme/model").text
    assert "Own event" in text
    assert "Family event" in text
    assert "/logbook/?checkpoint=acme/model" in text


def test_the_feed_lists_the_entries_with_permanent_ids(
    client: Client, checkpoint: Checkpoint
) -> None:
    one = entry("First", checkpoint=checkpoint)
    entry("Second", checkpoint=checkpoint, cause="data")
    answer = client.get("/logbook/feed.atom?cause=hardware")
    assert answer["Content-Type"] == "application/atom+xml"
    assert one.public_id.urn in answer.text
    assert "Second" not in answer.text
    assert one.get_absolute_url() in client.get("/sitemap.xml").text


def test_the_queries_of_the_timeline_do_not_grow_with_its_length(
    client: Client, checkpoint: Checkpoint, django_assert_num_queries: Callable[..., Any]
) -> None:
    curve(checkpoint)
    for number in range(30):
        entry(f"Event {number}", checkpoint=checkpoint, step=number)
    with django_assert_num_queries(7):  # count, page, two filters, steps, curves, their entries
        client.get("/logbook/")
    last = LogbookEntry.objects.order_by("-pk")[0]
    with django_assert_num_queries(5):  # entry, curves, steps, two neighbours
        client.get(last.get_absolute_url())
