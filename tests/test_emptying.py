"""Transactional tests leave the database as it was after the migrations."""

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from accounts.audit.models import AuditEvent
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.database import emptying
from tests.support.sample_events import SampleEvent
from weights.catalogue.models import Checkpoint
from weights.catalogue.search import documents

FORM_OF_TEXT_INDEX = {f"weights_searchdocument_fts_{part}" for part in ("data", "idx", "config")}

pytestmark = pytest.mark.django_db(transaction=True)


def filled() -> set[str]:
    with connection.cursor() as cursor:
        # FTS5 has rows for its form and for what was deleted; `docsize` has one for each document.
        names = set(connection.introspection.table_names(cursor)) - FORM_OF_TEXT_INDEX
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names
            )
        )
        return {name for (name,) in cursor.fetchall()}


def test_rows_of_a_test_are_gone_and_rows_of_migrations_stay(
    applicant: User, gated_tier: Tier
) -> None:
    before = ContentType.objects.get_for_model(Tier).pk
    factories.submitted(applicant, gated_tier)
    Checkpoint.objects.create(org="acme", name="model", tier=gated_tier)
    assert documents.sweep() == 1
    assert AuditEvent.objects.exists()
    emptying.empty_the_database()
    assert filled() == {"django_migrations", *emptying.SEEDED}
    assert ContentType.objects.get(app_label="accounts", model="tier").pk == before


def test_groups_that_a_test_changed_are_made_anew() -> None:
    Group.objects.get(name=Role.REVIEWER).permissions.clear()
    Group.objects.create(name="stray")
    emptying.empty_the_database()
    assert {group.name for group in Group.objects.all()} == set(Role)
    assert Group.objects.get(name=Role.REVIEWER).permissions.exists()


def test_the_trail_is_append_only_again_afterwards(applicant: User, gated_tier: Tier) -> None:
    emptying.empty_the_database()
    AuditEvent.record(SampleEvent.TEST)
    with pytest.raises(Exception, match="append-only"):
        AuditEvent.objects.all()._raw_delete(using="default")
