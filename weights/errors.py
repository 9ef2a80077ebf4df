"""Exceptions of the weights app, independent of HTTP."""

from accounts.errors import DomainError


class WeightsError(DomainError):
    """A refusal of the weights domain."""


class InvalidName(WeightsError):
    """A repository, ref or file name that the Hub's clients would reject."""

    code = "invalid_name"


class SourceUnusable(WeightsError):
    """The folder to publish is missing, empty or unreadable, or a link leads out of it."""

    code = "source_unusable"


class SourceChanged(WeightsError):
    """A source file changed while it was being read."""

    code = "source_changed"


class StorageUnavailable(WeightsError):
    """The store does not respond; a retry may succeed."""

    code = "storage_unavailable"


class InvalidAddress(WeightsError):
    """Not a valid store address."""

    code = "invalid_address"


class BadBody(WeightsError):
    """A request body that is not JSON or exceeds a limit; the code says which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StorageFull(WeightsError):
    """The store has no room left."""

    code = "storage_full"


class BlobTooLarge(WeightsError):
    """A blob larger than the store accepts, or than a check can read."""

    code = "blob_too_large"


class BlobMissing(WeightsError):
    """The store does not hold the blob."""

    code = "blob_missing"


class BlobChanged(WeightsError):
    """The stored bytes, or their version, differ from those that were verified."""

    code = "blob_changed"


class UnknownTier(WeightsError):
    """There is no tier with that slug."""

    code = "unknown_tier"


class GateRefused(WeightsError):
    """The gate denied a request; `code` is one of docs/clients.md#what-a-refusal-means.

    `wait` is the number of seconds after which a retry may succeed, if known.
    """

    def __init__(self, code: str, message: str, *, wait: int | None = None) -> None:
        super().__init__(message)
        self.code, self.wait = code, wait


class WithdrawalRefused(WeightsError):
    """The revision is already withdrawn."""

    code = "bad_transition"


class PublishRefused(WeightsError):
    """The requested name, tier, branch or tag conflicts with an existing one."""

    code = "publish_refused"


class KeyRefused(WeightsError):
    """There is no manifest key with that id, or the reason for retiring it is missing."""

    code = "key_refused"


class FindingsRefused(PublishRefused):
    """The lint found errors in the folder, and `--accept-findings` was not given."""

    code = "findings_refused"
