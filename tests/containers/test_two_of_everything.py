"""Two web servers, two workers and two beats, while everything restarts.

The people and the final checks are those of tests/chaos.
"""

import os
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.chaos import cast, checks, opening, records
from tests.chaos.cast import GATED, OPEN, TIER
from tests.chaos.scene import Job, Scene
from tests.chaos.trouble import Monkey, Nuisance
from tests.containers import people
from tests.containers.install import ContainerInstall, LateReader
from tests.containers.loads import Load
from tests.containers.podman import missing, podman
from tests.containers.stack import Running, report
from tests.support.servers.services import wait_until

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.processes,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

SECONDS = float(os.environ.get("CHAOS_SECONDS") or 180)
SEED = os.environ.get("CHAOS_SEED") or "containers"
TWICE = ("web", "worker", "beat")
BEHIND = ("postgres", "redis", "store", "nginx")
#: Faults that occur in every run; a slow run continues until all did.
FAULTS = {*TWICE, *(f"{name} restarted" for name in BEHIND)}
#: Seconds that a process lives before it is killed: longer than it needs to start here.
SPARED = 60
#: Seconds for which nginx remembers the addresses of web (deploy/nginx.conf).
REMEMBERED = 10


@pytest.fixture(scope="module")
def pair(walk: Running) -> Running:
    """The stack with a second web server, worker and beat."""
    for name in TWICE:
        walk.stack.scale(name, 2)
    walk.stack.wait()
    assert [len(walk.stack.names(name)) for name in TWICE] == [2, 2, 2]
    return walk


def test_no_download_fails_while_the_web_containers_are_replaced_one_by_one(
    pair: Running, tmp_path: Path
) -> None:
    """The recipe of docs/containers.md; clients have only their own retries."""
    stack = pair.stack
    files = people.publish(stack, "acme/rolling", tmp_path / "source", 60)
    people.account(stack, "rolf-reads")
    stack.manage("grant", "rolf-reads", people.TIER, "--reason", "a reader of the test")
    token = people.token(stack, "rolf-reads")
    (nginx,) = stack.names("nginx")
    before = len(stack.logs(nginx).splitlines())
    load = Load(stack, "acme/rolling", tmp_path, token, files)
    load.start(2)
    seconds = []
    try:
        for name in stack.names("web"):
            begun = time.monotonic()
            podman("stop", "--time", "30", name)
            stack.replace("web", name)
            stack.wait_for(name)
            seconds.append(time.monotonic() - begun)
            time.sleep(REMEMBERED + 1)
    finally:
        ended = load.stop()
    failed = [one.words for one in ended if one.code]
    statuses = _statuses(stack.logs(nginx).splitlines()[before:])
    report(
        f"\nweb replaced in {[round(each) for each in seconds]} s; {len(ended)} downloads of 60"
        f" files, {len(failed)} failed; nginx answered {dict(sorted(statuses.items()))}"
    )
    assert not failed, "\n".join(failed)
    assert [one.wrong for one in ended if one.wrong] == []
    assert len(ended) >= 4


def _statuses(log: list[str]) -> Counter[str]:
    """How often nginx answered with each status, by its access log."""
    words = [line.partition('" ')[2].split() for line in log if '] "' in line]
    return Counter(each[0] for each in words if each)


@pytest.fixture
def scene(pair: Running, tmp_path: Path) -> Scene:
    install = ContainerInstall(pair.stack)
    engaged = cast.engage(
        install, applicants=20 + int(SECONDS * 0.5), holders=4 + int(SECONDS * 0.1)
    )
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    files = opening.written(tmp_path / "source", SEED)
    made = Scene(install, engaged, pair.box, jobs, SEED, files, start=SPARED)
    for repo_id, tier in ((OPEN, "open"), (GATED, TIER)):
        made.publications.append(
            opening.published(install, tmp_path / "source", repo_id, tier, files)
        )
    return made


def test_restarts_of_everything_lose_and_double_nothing(pair: Running, scene: Scene) -> None:
    """Containers are killed and what is behind them is restarted while people work."""
    before = {row["id"] for row in records.everything(scene.install)["mails"]}
    restarts = [
        Nuisance(f"{name} restarted", partial(_restart, pair, name), lambda: None)
        for name in BEHIND
    ]
    monkey = Monkey(scene.install, SEED, restarts, spared=SPARED)
    late = LateReader(scene)
    _work(opening.jobs(scene, late), scene, monkey)
    pair.stack.wait()
    report(f"\nfaults {dict(monkey.counts())}\ndone {dict(sorted(scene.counts.items()))}")
    assert set(monkey.counts()) >= FAULTS
    wrong = monkey.failures + scene.wrong
    assert not wrong, "\n".join(wrong)
    left = records.left_after(scene.install, 240)
    assert not left
    _check(scene, monkey, before)
    late.check()


def _restart(pair: Running, service: str) -> None:
    podman("restart", "--time", "10", *pair.stack.names(service))
    pair.stack.wait(service)


def _work(jobs: list[Job], scene: Scene, monkey: Monkey) -> None:
    """Let the jobs and the monkey go on for SECONDS, and until each fault has occurred."""
    monkey.start()
    for job in jobs:
        job.start()
    scene.over.wait(SECONDS)
    with suppress(TimeoutError):
        wait_until(lambda: set(monkey.counts()) >= FAULTS, "each fault", seconds=180, pause=1)
    monkey.stop()
    scene.over.set()
    for job in jobs:
        job.join()


def _check(scene: Scene, monkey: Monkey, before: set[str]) -> None:
    """Compare database and mail server with what people saw; `before` are older mails."""
    found = records.everything(scene.install)
    mails = [row for row in found["mails"] if row["id"] not in before]
    copies = {key: each for key, each in scene.postbox.copies().items() if key not in before}
    applications = [
        one for one in found["applications"] if one["applicant"].startswith("applicant-")
    ]
    revisions = {name: one for name, one in found["revisions"].items() if name.startswith("chaos/")}
    gated = {name.partition("@")[0] for name in found["revisions"]} - {OPEN}
    wrong = [
        *checks.mails(mails, copies, monkey.faults),
        *checks.mails_of_decisions(mails, applications),
        *checks.decisions(applications, scene.verdicts),
        *checks.publications(revisions, scene.publications),
        *checks.ledger(found["downloads"], scene.downloads),
        *checks.store(found["store"]),
        *checks.links(scene, applications, len(gated)),
    ]
    assert not wrong, "\n".join(wrong)
    for command in (["verify_audit"], ["verify", "--wait"]):
        done = scene.install.manage(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    decided: Counter[str] = Counter(verdict.outcome for verdict in scene.verdicts)
    report(
        f"{len(applications)} applications, decisions {dict(decided)}; {len(mails)} mails in"
        f" {sum(map(len, copies.values()))} copies; {sum(scene.downloads.values())} downloads"
    )
