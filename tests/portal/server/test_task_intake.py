"""A real worker logs and drops foreign messages in the queue, and continues."""

import base64
import json
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from celery.beat import ScheduleEntry, Scheduler
from django.utils import timezone

from accounts.background.models import Heartbeat
from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from tests.support.servers import live, services
from tests.support.servers.live import Portal

pytestmark = pytest.mark.one_database

TASK = "accounts.deliver_mail"


def header(task: Any, **changed: Any) -> dict[str, Any]:
    """Headers as Celery sends them."""
    empty = dict.fromkeys(("shadow", "eta", "expires", "group", "root_id", "parent_id"))
    own = {"lang": "py", "task": task, "id": str(uuid.uuid4()), "retries": 0, "origin": "test"}
    return {**empty, **own, "timelimit": [None, None], **changed}


def body(*ids: Any, **embedded: Any) -> bytes:
    callbacks = dict.fromkeys(("callbacks", "errbacks", "chain", "chord")) | embedded
    return json.dumps([ids, {}, callbacks]).encode()


def frame(content: bytes, headers: Any, kind: str = "application/json") -> bytes:
    """A message as kombu stores it in a Redis list."""
    delivery = {"exchange": "", "routing_key": "celery"}
    properties = {"delivery_mode": 2, "delivery_info": delivery, "priority": 0}
    properties |= {"body_encoding": "base64", "delivery_tag": str(uuid.uuid4())}
    parts = {"body": base64.b64encode(content).decode(), "headers": headers}
    parts |= {"content-type": kind, "content-encoding": "utf-8", "properties": properties}
    return json.dumps(parts).encode()


def signature(task: str) -> dict[str, Any]:
    return {"task": task, "args": [], "kwargs": {}, "options": {}, "immutable": True}


class Touch:
    """What a pickle of it does when it is read."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (Path(self.path),))


def hostile(folder: Path) -> list[tuple[bytes, str]]:
    """Messages, and the worker's log line for each."""
    ran = pickle.dumps(Touch(str(folder / "ran")))
    callbacks = "deliver_mail with options or callbacks"
    no_ids = "deliver_mail with something else than row ids"
    return [
        (frame(ran, header(TASK), "application/x-python-serialize"), "x-python-serialize"),
        (frame(b"- [1]", header(TASK), "application/x-yaml"), "application/x-yaml in utf-8, not"),
        *((frame(body(1), header(name)), f"no task {name!r}") for name in NAMES),
        (frame(body(1), {}), "there is no task None"),
        *((frame(body(one), header(TASK)), no_ids) for one in NO_IDS),
        (frame(body(), header(TASK)), "deliver_mail with 0 arguments"),
        (frame(body(1, 2), header(TASK)), "deliver_mail with 2 arguments"),
        (frame(b"[[1], {}]", header(TASK)), "not three parts"),
        (frame(b'[[1], {"x": 1}, {}]', header(TASK)), callbacks),
        (frame(b"[[1], {}, 5]", header(TASK)), callbacks),
        (frame(b"{{", header(TASK)), "the body is not JSON"),
        (frame(b"[" * 4000, header(TASK)), "the body is not JSON"),
        (frame(b"[" * 5_000_000, header(TASK)), "the body has 5000000 bytes"),
        (frame(body(1), header(TASK, eta="9999-01-01T00:00:00+00:00")), "header 'eta' is set"),
        (frame(body(1), header(TASK, retries="x")), "header 'retries' is set"),
        (frame(body(1), header(TASK, timelimit=[1, 1])), "header 'timelimit' is set"),
        (frame(body(1), header(TASK, expires="soon")), "expires is not a time"),
        (frame(body(1), header(TASK, expires=[1])), "expires is not a time"),
        (frame(body(1), header(TASK, id=None)), "no id"),
        (frame(body(1), header(TASK, id=["x"])), "id is not text"),
        (frame(body(1, callbacks=[signature("os.system")]), header(TASK)), callbacks),
        (frame(body(1, errbacks=[signature(TASK)]), header(TASK)), callbacks),
        (frame(body(1, chain=[signature("accounts.clocks")]), header(TASK)), callbacks),
        (frame(body(1, chord=signature("celery.backend_cleanup")), header(TASK)), callbacks),
        (frame(body(1), header("weights.sign_manifest", group="x")), "header 'group' is set"),
    ]


#: A list in this header ended every worker to which the message was delivered.
NAMES = ["os.system", "celery.map", "celery.chain", "celery.backend_cleanup", ["x"], {"x": 1}, 5]
NO_IDS = ["x", True, 1.5, None, -1, 0, 2**63, [1], {"a": 1}]


@pytest.fixture
def worker(transactional_db: None, tmp_path: Path) -> Iterator[Portal]:
    """A worker alone."""
    running = Portal("", live.environment("http://127.0.0.1:1", f"file://{tmp_path}"), tmp_path)
    running.start("worker")
    running.wait_for_worker()
    yield running
    running.kill("worker")


@pytest.mark.requirement("CE-8")
def test_a_worker_drops_what_the_portal_did_not_send(worker: Portal, tmp_path: Path) -> None:
    messages = hostile(tmp_path)
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        store = channel.client
        for message, _ in messages:
            store.lpush("celery", message)
        store.lpush("celery", frame(body(987654321), header("weights.issue_links_of_grant")))
        for name in ("accounts.deliver_mail", "weights.verify_blob", "weights.make_export"):
            store.lpush("celery", frame(body(987654321), header(name)))
        mail = outbox.enqueue(outbox.Message("test", "ada@example.org", "Hello", "text"), key="key")
        assert mail is not None
        kept = OutgoingMail.objects.filter(pk=mail.pk, state=OutgoingMail.State.KEPT)
        services.wait_until(kept.exists, "the task after the hostile messages")
        assert store.llen("celery") == 0
    lines = [line for line in worker.log("worker").splitlines() if line]
    assert "Traceback" not in "".join(lines)
    assert not (tmp_path / "ran").exists()
    for (_, expected), line in zip(messages, lines, strict=False):
        assert expected in line
    assert len(lines) == len(messages) + 1
    assert "there is no grant 987654321" in lines[-1]
    assert worker.processes["worker"].poll() is None


def test_a_worker_runs_what_beat_sends(worker: Portal) -> None:
    scheduler = Scheduler(current_app, lazy=True)
    begun = timezone.now()
    for name, facts in current_app.conf.beat_schedule.items():
        entry = ScheduleEntry(name, app=current_app, **facts)
        scheduler.apply_async(entry, advance=False)
    # The last thing that each task writes.
    names = {"decisions", "mail", "grants", "weights", "scrub", "clocks", "heads", "profiles"}
    names |= {"tidy", "trail"}
    # The sealer is no task of beat; it writes once, before or after this moment.
    beats = Heartbeat.objects.filter(at__gte=begun).exclude(name="sealing")
    try:
        services.wait_until(
            lambda: set(beats.values_list("name", flat=True)) == names, "the heartbeats"
        )
    except TimeoutError as error:
        others = names.symmetric_difference(beats.values_list("name", flat=True))
        error.add_note(f"missing or unexpected: {others}\n{worker.log('worker')}")
        raise
    assert "refused" not in worker.log("worker")
