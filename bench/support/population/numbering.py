"""The numbers of checkpoints, revisions and blobs; sharded checkpoints come first.

All revisions of a checkpoint share the blobs of all files but README.md.
"""

from dataclasses import dataclass

from support.population.proportions import (
    FILES,
    REVISIONS,
    SHARDED_EVERY,
    SHARDED_REVISIONS,
    SHARDS,
    Sizes,
)


@dataclass(frozen=True)
class Kind:
    """Checkpoints with equal numbers of revisions and files; methods take and return SQL."""

    is_sharded: bool
    checkpoints: int
    revisions_each: int  # per checkpoint
    files_each: int  # per revision
    #: Rows of the other kind, which have lower numbers.
    checkpoints_before: int = 0
    revisions_before: int = 0
    blobs_before: int = 0
    files_before: int = 0

    @property
    def revisions(self) -> int:
        return self.checkpoints * self.revisions_each

    @property
    def files(self) -> int:
        return self.revisions * self.files_each

    @property
    def blobs_each(self) -> int:
        """The number of blobs of a checkpoint."""
        return self.files_each - 1 + self.revisions_each

    @property
    def blobs(self) -> int:
        return self.checkpoints * self.blobs_each

    def checkpoint(self, base: dict[str, int], number: str) -> str:
        """The id of this kind's checkpoint with this number."""
        if self.is_sharded:
            return f"{base['Checkpoint']} + {number} * {SHARDED_EVERY}"
        return f"{base['Checkpoint']} + {number} + ({number} - 1) / {SHARDED_EVERY - 1}"

    def blob(self, checkpoint: str, revision: str, file: str) -> str:
        """The number of a file's blob."""
        shared = f"{self._blobs_before(checkpoint)} + {file}"
        readme = self.readme(checkpoint, revision)
        return f"CASE WHEN {file} = {self.files_each} THEN {readme} ELSE {shared} END"

    def readme(self, checkpoint: str, revision: str) -> str:
        """The number of the blob of a revision's README.md."""
        return f"{self._blobs_before(checkpoint)} + {self.files_each - 1} + {revision}"

    def _blobs_before(self, checkpoint: str) -> str:
        return f"{self.blobs_before} + ({checkpoint} - 1) * {self.blobs_each}"

    def path(self, file: str) -> str:
        name = f"'model-000' || lpad({file}::text, 2, '0') || '-of-00011.safetensors'"
        if self.is_sharded:
            name = f"'checkpoint_last-model_part-' || {file} % 8 || '-shard' || {file} / 8 || '.pt'"
        return f"CASE WHEN {file} = {self.files_each} THEN 'README.md' ELSE {name} END"


def kinds(sizes: Sizes) -> tuple[Kind, Kind]:
    """Checkpoints with 992 files, and the others."""
    count = sizes.checkpoints // SHARDED_EVERY
    sharded = Kind(True, count, SHARDED_REVISIONS, SHARDS)
    other = Kind(
        False,
        sizes.checkpoints - count,
        REVISIONS,
        FILES,
        checkpoints_before=sharded.checkpoints,
        revisions_before=sharded.revisions,
        blobs_before=sharded.blobs,
        files_before=sharded.files,
    )
    return sharded, other
