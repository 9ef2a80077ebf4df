"""What can go wrong in the weights domain; none of these know HTTP."""

from accounts.errors import DomainError


class WeightsError(DomainError):
    """A refusal of the weights domain."""


class InvalidName(WeightsError):
    """A repository, ref or file name that the Hub's clients would refuse."""

    code = "invalid_name"


class SourceUnusable(WeightsError):
    """The folder to publish is missing, empty, unreadable, or leads out of itself."""

    code = "source_unusable"


class SourceChanged(WeightsError):
    """A file changed while it was read."""

    code = "source_changed"


class StorageUnavailable(WeightsError):
    """The store does not answer; the same call may work later."""

    code = "storage_unavailable"


class InvalidAddress(WeightsError):
    """Not the address of a store."""

    code = "invalid_address"


class BadBody(WeightsError):
    """What was sent is no JSON, or beyond its bounds; the code says which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StorageFull(WeightsError):
    """The store has no room left."""

    code = "storage_full"


class BlobTooLarge(WeightsError):
    """More bytes than the store keeps, or a check reads, under one name."""

    code = "blob_too_large"


class BlobMissing(WeightsError):
    """The store does not hold the blob."""

    code = "blob_missing"


class BlobChanged(WeightsError):
    """The store holds other bytes than those that were verified, or so its marks say."""

    code = "blob_changed"


class UnknownTier(WeightsError):
    """No tier of that name."""

    code = "unknown_tier"


class GateRefused(WeightsError):
    """The gate said no; `code` is a refusal code of docs/clients.md#what-a-refusal-means.

    `wait` is the seconds after which the same may be allowed, where that is known.
    """

    def __init__(self, code: str, message: str, *, wait: int | None = None) -> None:
        super().__init__(message)
        self.code, self.wait = code, wait


class WithdrawalRefused(WeightsError):
    """The revision was withdrawn already."""

    code = "bad_transition"


class PublishRefused(WeightsError):
    """The name, tier, branch or tag asked for belongs to something else."""

    code = "publish_refused"


class KeyRefused(WeightsError):
    """No manifest key of that id, or no reason for what becomes of it."""

    code = "key_refused"


class FindingsRefused(PublishRefused):
    """The folder looks broken or cut short, and nobody said to publish it all the same."""

    code = "findings_refused"
