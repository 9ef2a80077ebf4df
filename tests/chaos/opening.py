"""Prepare a run: the files that everyone downloads, two checkpoints with them, and all jobs."""

import hashlib
import queue
from pathlib import Path
from random import Random

import numpy
from safetensors.numpy import save

from tests.chaos import cast
from tests.chaos.downloads import Downloader, Revoker, Trespasser
from tests.chaos.publisher import Publisher
from tests.chaos.review import Applicants, Reviewer
from tests.chaos.scene import Job, Publication, Scene
from tests.support.servers.install import Install


def written(folder: Path, seed: str) -> dict[str, str]:
    """Write the files that everyone downloads; returns their SHA-256 values."""
    random = Random(seed)
    weights = numpy.frombuffer(random.randbytes(3_000_000), dtype=numpy.uint8)
    contents = {
        "README.md": b"# Under fire\n",
        "model.safetensors": save({"weights": weights}),
        "vocabulary.dat": random.randbytes(200_000),
        "part/optimizer.dat": random.randbytes(1_000_000),
    }
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}


def published(
    install: Install, folder: Path, repo_id: str, tier: str, files: dict[str, str]
) -> Publication:
    """Publish the folder by command and wait until it is verified."""
    done = install.manage("publish", str(folder), repo_id, "--tier", tier, "--wait")
    assert done.returncode == 0, done.stderr
    return Publication(repo_id, done.stdout.strip(), files)


def jobs(scene: Scene, revoker: Revoker) -> list[Job]:
    """All jobs; the reviewers sign in before the faults begin."""
    applicants: queue.Queue[cast.Person] = queue.Queue()
    for person in scene.cast.applicants:
        applicants.put(person)
    reviewers = [Reviewer(scene, person) for person in scene.cast.reviewers]
    for reviewer in reviewers:
        reviewer.sign_in()
    return [
        *(Downloader(scene, person.name, person) for person in scene.cast.readers),
        *(Applicants(scene, f"applicants-{number}", applicants) for number in (1, 2)),
        *reviewers,
        Publisher(scene),
        revoker,
        Trespasser(scene),
    ]
