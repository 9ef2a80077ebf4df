"""A command on a database without its tables says what to run first."""

import pytest
from django.db.migrations.recorder import MigrationRecorder

from portal.databases import readiness

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def test_a_command_on_a_database_of_an_older_version_names_what_prepares_it() -> None:
    assert readiness.refusal("create_token") == ""
    MigrationRecorder.Migration.objects.filter(app="weights").delete()
    assert "run manage.py prepare_install" in readiness.refusal("create_token")


@pytest.mark.parametrize("command", ["backup", "restore", "prepare_install", "migrate", "help"])
def test_what_prepares_a_database_or_saves_it_first_is_let_through(command: str) -> None:
    MigrationRecorder.Migration.objects.filter(app="weights").delete()
    assert readiness.refusal(command) == ""
