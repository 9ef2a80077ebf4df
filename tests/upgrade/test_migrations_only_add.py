"""Migrations after release 0.1.0 only add, so that its processes run on the new schema."""

from typing import Any

import pytest
from django.db import migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Field

pytestmark = pytest.mark.fast

#: The migrations of release 0.1.0.
RELEASED = {
    ("accounts", "0001_squashed_0022_failed_items"),
    ("weights", "0001_squashed_0018_inspections_read_to_end"),
}
#: Operations that the release in use never notices.
_HARMLESS = (
    migrations.CreateModel,
    migrations.AddIndex,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
)
#: Migration -> why its other operations do the release in use no harm.
REASONS = {
    "accounts.0026_licences_of_gated_tiers": "0.1.0 writes a licence for every tier",
    "accounts.0027_one_confirmed_address": "corrects User.email to the confirmed address",
    "accounts.0029_change_requests": "fills new columns of role assignments",
    "accounts.0031_encrypted_secrets": "a wider column; 0.1.0 reads and writes texts there",
    "accounts.0033_appeals": "a constraint on appeals, which 0.1.0 does not make",
    "accounts.0036_events_by_actor": "adds an index, without blocking writers",
    "weights.0002_checks_start_over": "run results that 0.1.0 also has; a foreign key is dropped",
    "weights.0004_licences_of_checkpoints": "fills a new column of revisions",
    "weights.0006_pending_overrides": "moves requests that only one person confirmed so far",
    "weights.0009_licences_of_open_tiers": "fills a new column of checkpoints",
    "weights.0012_quarantine_causes": "fills a new column of blobs",
    "weights.0013_search_documents": "indexes a new table",
}


def plan(loader: MigrationLoader) -> list[tuple[str, str]]:
    """Our migrations after the release, in the order in which they run."""
    leaves = [loader.graph.leaf_nodes(app)[0] for app in ("accounts", "weights")]
    ordered = dict.fromkeys(key for leaf in leaves for key in loader.graph.forwards_plan(leaf))
    ours = [key for key in ordered if key[0] in {"accounts", "weights"}]
    assert set(ours) >= RELEASED, "the migrations of a release are never renamed"
    return [key for key in ours if key not in RELEASED]


def breaks(state: ProjectState, app: str, operation: Any) -> bool:
    """True unless the release in use can read and write the tables after this operation."""
    if isinstance(operation, migrations.AddField):
        return not _fills_itself(operation.field)
    if isinstance(operation, migrations.AlterField):
        before = state.models[app, operation.model_name_lower].get_field(operation.name)
        return _is_narrower(before, operation.field)
    return not isinstance(operation, _HARMLESS)


def _fills_itself(field: "Field[Any, Any]") -> bool:
    return bool(field.null or field.many_to_many or field.has_db_default())


def _is_narrower(before: "Field[Any, Any]", after: "Field[Any, Any]") -> bool:
    """True if a value that fitted the column may not fit any more."""
    shorter = (after.max_length or 0) < (before.max_length or 0)
    names = ("null", "unique", "db_index", "db_column", "primary_key")
    same = [getattr(before, name, None) == getattr(after, name, None) for name in names]
    loosened = after.null and not before.null
    lost_default = before.has_db_default() and not after.has_db_default()
    is_same = all(same) or (loosened and same.count(False) == 1)
    if shorter or lost_default or not is_same:
        return True
    return bool(before.get_internal_type() != after.get_internal_type())


def test_migrations_after_the_release_only_add() -> None:
    loader = MigrationLoader(None)
    state = loader.project_state(sorted(RELEASED))
    released, broken = set(state.models), set()
    for app, name in plan(loader):
        for operation in loader.disk_migrations[app, name].operations:
            for each in getattr(operation, "database_operations", [operation]):
                model = getattr(each, "model_name_lower", None)
                is_new = model is not None and (app, model) not in released
                if not is_new and breaks(state, app, each):
                    broken.add(f"{app}.{name}")
            operation.state_forwards(app, state)
    assert broken - REASONS.keys() == set(), "see CONTRIBUTING.md, Migrations: add, or say why not"
    assert REASONS.keys() - broken == set(), "these reasons excuse nothing any more"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (migrations.RemoveField("tier", "slug"), True),
        (migrations.RenameField("tier", "slug", "label"), True),
        (migrations.DeleteModel("Tier"), True),
        (migrations.RunSQL("DROP TABLE accounts_tier"), True),
    ],
    ids=["a removed column", "a renamed column", "a removed table", "SQL"],
)
def test_an_operation_that_breaks_the_release_in_use_is_found(
    operation: Any, expected: bool
) -> None:
    assert breaks(MigrationLoader(None).project_state(), "accounts", operation) is expected


def test_a_column_that_nobody_fills_is_found() -> None:
    from django.db.models import BooleanField, CharField

    state = MigrationLoader(None).project_state()
    added = migrations.AddField("tier", "is_new", BooleanField(default=False))
    filled = migrations.AddField("tier", "is_new", BooleanField(default=False, db_default=False))
    shorter = migrations.AlterField("tier", "name", CharField(max_length=2))
    assert breaks(state, "accounts", added)
    assert not breaks(state, "accounts", filled)
    assert breaks(state, "accounts", shorter)
