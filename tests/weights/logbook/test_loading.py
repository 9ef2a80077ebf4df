"""The shipped entries: complete, with causes and sources, loaded once."""

from datetime import date
from unittest.mock import Mock

import pytest
from django.core.management import call_command

from accounts.audit.models import AuditEvent
from tests.support import factories
from weights.catalogue import opt_family
from weights.catalogue.models import Checkpoint
from weights.catalogue.opt_family import entries
from weights.logbook import loading
from weights.logbook.models import Cause, LogbookEntry, LogbookSeries

pytestmark = pytest.mark.django_db


def test_every_event_and_release_of_the_family_has_a_cause_a_source_and_a_link() -> None:
    opt_family.load()
    assert loading.load()
    assert LogbookEntry.objects.count() == len(entries.events()) == 28
    assert not LogbookEntry.objects.filter(source="").exists()
    for entry in LogbookEntry.objects.all():
        assert entry.source_url.startswith("https://"), entry
        assert entry.text, entry
    assert set(LogbookEntry.objects.values_list("cause", flat=True)) == set(Cause.values)
    first = LogbookEntry.objects.select_related("checkpoint").first()
    assert first is not None
    assert (first.date, str(first.checkpoint)) == (date(2021, 10, 18), "facebook/opt-175b")
    inexact = LogbookEntry.objects.get(title__startswith="Runs 12.43")
    assert inexact.day == "Between 3 and 16 December 2021"


def test_the_progress_of_the_run_is_loaded_as_a_curve() -> None:
    opt_family.load()
    loading.load()
    series = LogbookSeries.objects.get()
    assert series.points[0] == ["2021-11-11", 0]
    assert series.points[-1] == ["2022-01-06", 100]
    assert series.as_text(series.positions()[1][0]) == "17 Nov 2021"


@pytest.mark.slow
def test_a_deleted_entry_does_not_return_and_a_changed_one_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The command closes the connections, with them the test's transaction.
    monkeypatch.setattr("portal.management.commands.prepare_install.connections", Mock())
    call_command("prepare_install", verbosity=0)
    LogbookEntry.objects.filter(cause="hardware").delete()
    LogbookEntry.objects.update(title="Rewritten")
    before = LogbookEntry.objects.count()
    call_command("prepare_install", verbosity=0)
    assert not loading.load()
    assert LogbookEntry.objects.count() == before
    assert set(LogbookEntry.objects.values_list("title", flat=True)) == {"Rewritten"}
    assert AuditEvent.objects.filter(action="logbook.loaded").count() == 1


def test_an_install_that_loaded_the_catalogue_before_gets_the_entries() -> None:
    opt_family.load()
    assert not opt_family.load()
    assert loading.load()
    assert LogbookEntry.objects.exists()


def test_entries_of_a_checkpoint_that_the_install_lacks_are_left_out() -> None:
    opt_family.load()
    Checkpoint.objects.filter(name="opt-66b").delete()
    assert loading.load()
    assert not LogbookEntry.objects.filter(title__contains="66B released").exists()
    assert LogbookEntry.objects.filter(family__slug="opt").exists()


def test_an_install_without_the_family_gets_no_entries(store: object) -> None:
    factories.published("acme/open")
    assert loading.load()
    assert not LogbookEntry.objects.exists()
