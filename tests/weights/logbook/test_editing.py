"""Editing the logbook: who may, with revisions and audit events, in the admin and the services."""

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.privacy import erasure
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint, Family
from weights.logbook import services
from weights.logbook.models import LogbookEntry, LogbookSeries

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ADD = "/admin/weights/logbookentry/add/"


@pytest.fixture
def checkpoint(gated_tier: Tier) -> Checkpoint:
    return factories.published("acme/model", gated_tier).checkpoint


@pytest.fixture
def entry(checkpoint: Checkpoint) -> LogbookEntry:
    return LogbookEntry.objects.create(
        checkpoint=checkpoint, title="Before", date=date(2026, 1, 5), cause="data", text="x"
    )


def actions() -> list[str]:
    found = AuditEvent.objects.filter(action__startswith="logbook_").order_by("pk")
    return list(found.values_list("action", flat=True))


def answers(checkpoint: Checkpoint, **fields: Any) -> dict[str, Any]:
    values = {"title": "Node lost", "date": "2026-01-05", "cause": "hardware", "text": "**Bad**"}
    return {"checkpoint": checkpoint.pk, **values, **fields}


@pytest.mark.parametrize("role", [Role.RELEASE_OWNER, Role.ADMINISTRATOR])
def test_release_owners_and_administrators_write_entries_in_the_admin(
    client: Client, checkpoint: Checkpoint, role: Role
) -> None:
    user = factories.staff("editor", role)
    client.force_login(user)
    answer = client.post(ADD, answers(checkpoint))
    assert answer.status_code == 302, answer.context["adminform"].errors
    stored = LogbookEntry.objects.get()
    assert (stored.created_by, stored.changed_by) == (user, user)
    page = f"/admin/weights/logbookentry/{stored.pk}/change/"
    client.post(page, answers(checkpoint, title="Node lost for good"))
    changed = AuditEvent.objects.get(action="logbook_entry.changed")
    assert changed.details == {
        "fields": ["title"],
        "changes": {"title": ["Node lost", "Node lost for good"]},
        "about": "acme/model",
    }
    client.post(page, answers(checkpoint, title="Node lost for good"))  # nothing changed
    client.post(f"/admin/weights/logbookentry/{stored.pk}/delete/", {"post": "yes"})
    assert not LogbookEntry.objects.exists()
    assert actions() == ["logbook_entry.added", "logbook_entry.changed", "logbook_entry.deleted"]


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.LEAD_REVIEWER, Role.AUDITOR])
def test_other_staff_change_nothing(
    client: Client, checkpoint: Checkpoint, entry: LogbookEntry, role: Role
) -> None:
    user = factories.staff("other", role)
    client.force_login(user)
    page = f"/admin/weights/logbookentry/{entry.pk}"
    assert client.post(ADD, answers(checkpoint)).status_code == 403
    for action, form in (("change", answers(checkpoint)), ("delete", {"post": "yes"})):
        assert client.post(f"{page}/{action}/", form).status_code in {403, 404}
    with pytest.raises(NotAllowed):
        services.delete(entry, by=user)
    entry.title = "After"
    with pytest.raises(NotAllowed):
        services.save(entry, by=user)
    assert LogbookEntry.objects.get().title == "Before"
    assert actions() == []


def test_a_role_for_one_tier_edits_its_checkpoints_alone(
    client: Client, checkpoint: Checkpoint, entry: LogbookEntry, open_tier: Tier
) -> None:
    user = factories.staff("owner", Role.RELEASE_OWNER, open_tier)
    own = factories.published("acme/open", open_tier).checkpoint
    client.force_login(user)
    page = f"/admin/weights/logbookentry/{entry.pk}/change/"
    assert client.post(page, answers(own)).status_code == 404
    assert client.post(ADD, answers(checkpoint)).context["adminform"].errors["checkpoint"]
    assert client.post(ADD, answers(own)).status_code == 302
    moved = LogbookEntry.objects.get(checkpoint=own)
    moved.checkpoint = checkpoint
    with pytest.raises(NotAllowed):
        services.save(moved, by=user)
    family = Family.objects.create(slug="acme", name="Acme")
    with pytest.raises(NotAllowed):
        services.save(
            LogbookEntry(family=family, title="x", date=date(2026, 1, 5), cause="data"), by=user
        )


def test_a_superuser_without_a_role_edits_nothing(client: Client, checkpoint: Checkpoint) -> None:
    user = factories.person("root")
    User.objects.filter(pk=user.pk).update(is_superuser=True, is_staff=True)
    client.force_login(User.objects.get(pk=user.pk))
    assert client.post(ADD, answers(checkpoint)).status_code == 403


def test_an_entry_has_exactly_one_subject(checkpoint: Checkpoint, release_owner: User) -> None:
    family = Family.objects.create(slug="acme", name="Acme")
    for fields in ({}, {"checkpoint": checkpoint, "family": family}):
        record = LogbookEntry(title="x", date=date(2026, 1, 5), cause="data", **fields)
        with pytest.raises(ValidationError) as refused:
            services.save(record, by=release_owner)
        assert refused.value.messages == ["Choose either a checkpoint or a family."]
        with pytest.raises(IntegrityError), transaction.atomic():
            record.save()


def test_a_step_needs_a_checkpoint(release_owner: User) -> None:
    family = Family.objects.create(slug="acme", name="Acme")
    record = LogbookEntry(family=family, title="x", date=date(2026, 1, 5), cause="data", step=5)
    with pytest.raises(ValidationError, match="A step needs a checkpoint"):
        services.save(record, by=release_owner)


def test_a_curve_is_written_as_lines_and_bad_lines_are_explained(
    client: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    client.force_login(release_owner)
    page = "/admin/weights/logbookseries/add/"
    form = {"checkpoint": checkpoint.pk, "title": "Loss", "axis": "step", "points": "0, 11\nx"}
    errors = client.post(page, form).context["adminform"].errors
    assert "line 2 is not a point" in str(errors["points"])
    errors = client.post(page, {**form, "points": "5, 11\n4, 3"}).context["adminform"].errors
    assert "point 2 (4) must come after" in str(errors["points"])
    assert client.post(page, {**form, "points": "0, 11\n1000, 2.5"}).status_code == 302
    stored = LogbookSeries.objects.get()
    assert stored.points == [[0, 11.0], [1000, 2.5]]
    assert "1000, 2.5" in client.get(f"/admin/weights/logbookseries/{stored.pk}/change/").text
    assert actions() == ["logbook_curve.added"]


def test_an_author_can_be_erased_and_the_entry_stays(
    client: Client, entry: LogbookEntry, administrator: User
) -> None:
    author = factories.person("author")
    LogbookEntry.objects.update(created_by=author, changed_by=author)
    erasure.erase(author, by=administrator)
    shown = client.get(entry.get_absolute_url())
    assert shown.status_code == 200
    assert "author" not in shown.text
    author.refresh_from_db()
    assert author.erased_at is not None
    assert LogbookEntry.objects.get().created_by == author
