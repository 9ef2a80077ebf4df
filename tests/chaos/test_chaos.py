"""Kill everything at random while people work; afterwards nothing is wrong, lost or duplicated.

    make chaos [CHAOS_SECONDS=600] [CHAOS_SEED=7]

The seed is printed. It decides when each process is killed and what each job does. Timing depends
on the machine, so a seed repeats the plan but not every interleaving.
"""

import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import cast, checks, opening, postbox, records
from tests.chaos.cast import GATED, OPEN, TIER
from tests.chaos.downloads import Revoker
from tests.chaos.grounds import GROUNDS, Ground
from tests.chaos.scene import Scene
from tests.chaos.trouble import Monkey
from tests.conftest import MISSING
from tests.support import disks
from tests.support.servers.install import Install, new_install
from tests.support.servers.services import wait_until

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.processes,
    pytest.mark.needs("curl"),
]

#: Seconds of faults; `make chaos` sets more.
SECONDS = float(os.environ.get("CHAOS_SECONDS") or 8)
#: Processes that are killed in every run; a slow run continues until all were killed.
VICTIMS = {"worker", "beat", "broker"}
SEED = os.environ.get("CHAOS_SEED") or secrets.token_hex(4)
#: Seconds within which all unfinished work must be done after the faults.
DRAINED_WITHIN = 180.0
#: Short, because the test would otherwise wait minutes for the work of killed workers.
LEASES = {
    "VERIFICATION_LEASE": "10",
    "VERIFICATION_QUEUED": "15",
    "MAIL_CLAIM": f"{checks.CLAIM:.0f}",
}


@pytest.fixture(params=list(GROUNDS))
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """The infrastructure of the install."""
    if request.param == "files" and (why := disks.why_none()):
        pytest.skip(f"{MISSING}: {why}")
    with GROUNDS[request.param](tmp_path / "ground") as made:
        yield made


@pytest.fixture
def scene(ground: Ground, tmp_path: Path) -> Iterator[Scene]:
    """A running install with people, a mail server and two checkpoints."""
    with postbox.opened() as box:
        settings = {"EMAIL_URL": f"smtp://127.0.0.1:{box.port}", **LEASES, **ground.settings}
        with new_install(ground.folder, tmp_path / "log", **settings) as install:
            start = install.start("--no-demo")
            people = cast.engage(
                install, applicants=20 + int(SECONDS * 0.8), holders=4 + int(SECONDS * 0.1)
            )
            jobs = tmp_path / "jobs"
            jobs.mkdir()
            files = opening.written(tmp_path / "source", SEED)
            made = Scene(install, people, box, jobs, SEED, files, start)
            for repo_id, tier in ((OPEN, "open"), (GATED, TIER)):
                made.publications.append(
                    opening.published(install, tmp_path / "source", repo_id, tier, files)
                )
            yield made


def test_kills_and_faults_leave_nothing_wrong_lost_or_doubled(
    ground: Ground, scene: Scene, request: pytest.FixtureRequest
) -> None:
    began = time.monotonic()
    name = request.node.callspec.id
    monkey = Monkey(scene.install, SEED, ground.nuisances, spared=scene.start)
    jobs = opening.jobs(scene, Revoker(scene))
    monkey.start()
    for job in jobs:
        job.start()
    scene.over.wait(SECONDS)
    monkey.finish()
    with suppress(TimeoutError):
        wait_until(lambda: set(monkey.counts()) >= VICTIMS, "a kill of each", seconds=120)
    monkey.stop()
    scene.over.set()
    for job in jobs:
        job.join()
    worked = time.monotonic() - began
    try:
        assert scene.install.is_alive(), scene.install.output[-3000:]
        assert set(monkey.counts()) >= VICTIMS, "nobody was killed"
        wrong = monkey.failures + scene.wrong
        assert not wrong, "\n".join(wrong)
        _drain(scene.install)
        drained = time.monotonic() - began - worked
        found = records.everything(scene.install)
        _check(scene, monkey, found)
        _report(name, scene, monkey, found, worked, drained)
    except Exception:
        sys.stdout.write(
            f"CHAOS_SEED={SEED} {name}: {dict(monkey.counts())} {dict(scene.counts)}\n"
        )
        sys.stdout.write(scene.install.output[-6000:])
        raise


def _drain(install: Install) -> None:
    """Wait until no row is unfinished; one that stays is lost work."""
    left = records.left_after(install, DRAINED_WITHIN)
    assert not left, f"still waiting after {DRAINED_WITHIN:g} s: {left}"


def _check(scene: Scene, monkey: Monkey, found: dict[str, Any]) -> None:
    wrong = [
        *checks.mails(found["mails"], scene.postbox.copies(), monkey.faults),
        *checks.mails_of_decisions(found["mails"], found["applications"]),
        *checks.decisions(found["applications"], scene.verdicts),
        *checks.publications(found["revisions"], scene.publications),
        *checks.ledger(found["downloads"], scene.downloads),
        *checks.store(found["store"]),
        *checks.links(scene, found["applications"]),
        *checks.leftovers(scene.install.data_dir),
    ]
    assert not wrong, "\n".join(wrong)
    for command in (["verify_audit"], ["verify", "--wait"]):
        done = scene.install.manage(*command)
        assert done.returncode == 0, done.stdout + done.stderr


def _report(
    name: str,
    scene: Scene,
    monkey: Monkey,
    found: dict[str, Any],
    worked: float,
    drained: float,
) -> None:
    copies = sum(map(len, scene.postbox.copies().values()))
    lines = {
        "seed": SEED,
        "seconds of trouble, to the end of the last job, to the last row done": (
            f"{SECONDS:.0f}, {worked:.0f}, {drained:.0f}"
        ),
        "faults": dict(monkey.counts()),
        "downloads": f"{sum(scene.downloads.values())}, none with a wrong byte",
        "what else was done": dict(sorted(scene.counts.items())),
        "decisions": dict(Counter(verdict.outcome for verdict in scene.verdicts)),
        "mails": f"{len(found['mails'])} rows, {copies} copies in the postbox",
    }
    sys.stdout.write(
        f"\nchaos on {name}: " + "\n  ".join(f"{what}: {how}" for what, how in lines.items()) + "\n"
    )
