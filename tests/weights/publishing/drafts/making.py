"""Commits and checks of drafts, for tests."""

import hashlib
from typing import Any

from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.integrity import verification
from weights.publishing.drafts.commits import AddFile, AddObject, Operation, commit
from weights.publishing.models import Revision
from weights.storage.models import Blob
from weights.uploads import services as uploads

CARD = AddFile("README.md", b"# A model\n")
WEIGHTS = factories.safetensors(bytes(range(256)) * 20)


def committed(
    checkpoint: Checkpoint, by: User, *operations: Operation, branch: str = "main", **options: Any
) -> Revision:
    """A commit of these operations, by default of a card and of weights."""
    operations = operations or (CARD, uploaded(checkpoint, by))
    return commit(checkpoint, branch, operations, by=by, message="Add files", **options)


def uploaded(
    checkpoint: Checkpoint, by: User, path: str = "model.safetensors", content: bytes = WEIGHTS
) -> AddObject:
    """The operation that adds an object which this person uploaded."""
    sha256 = hashlib.sha256(content).hexdigest()
    uploads.finish(checkpoint, by, sha256, len(content), [content])
    return AddObject(path, sha256, len(content))


def verify_all() -> None:
    for blob in Blob.objects.unverified():
        verification.verify(blob.pk)


def paths(revision: Revision) -> list[str]:
    return list(revision.files.values_list("path", flat=True))
