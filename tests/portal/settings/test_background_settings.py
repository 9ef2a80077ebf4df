"""Celery settings: late acknowledgement, a prefetch of one, only ids (docs/requirements.md, CE)."""

import ast
from pathlib import Path

import pytest

from portal.celery import app
from portal.server.task_intake import OURS

pytestmark = pytest.mark.one_database

#: Seconds that one step may last (docs/requirements.md, CE-2).
LONGEST_STEP = 600


@pytest.mark.requirement("CE-2")
def test_work_is_acknowledged_late_and_taken_one_at_a_time() -> None:
    conf = app.conf
    assert conf.task_acks_late is True
    assert conf.task_reject_on_worker_lost is True
    assert conf.worker_prefetch_multiplier == 1
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.broker_transport_options["visibility_timeout"] >= 3600 > LONGEST_STEP


def test_every_task_has_a_name_of_the_enums_and_every_name_a_task() -> None:
    app.loader.import_default_modules()
    assert {name for name in app.tasks if not name.startswith("celery.")} == OURS
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= OURS


@pytest.mark.requirement("CE-2")
def test_tasks_take_only_ids_numbers_and_strings() -> None:
    """An object would be old by the time it is read."""
    plain = {"int", "str", "bool", "list[int]", "list[str]", "int | None", "str | None"}
    found = 0
    for module in ("accounts/tasks.py", "weights/tasks.py"):
        for node in ast.walk(ast.parse(Path(module).read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            if not any("shared_task" in ast.unparse(mark) for mark in node.decorator_list):
                continue
            found += 1
            for argument in node.args.args:
                if argument.arg != "self":
                    assert argument.annotation is not None
                    assert ast.unparse(argument.annotation).strip("'\"") in plain, node.name
    assert found > 5
