"""Exceptions of the weights app, independent of HTTP."""

from accounts.errors import AccountsCode, DomainError, ErrorCode, NotAllowed


class WeightsCode(ErrorCode):
    # Names that do not exist.
    REPOSITORY_NOT_FOUND = "repository_not_found"
    REVISION_NOT_FOUND = "revision_not_found"
    ENTRY_NOT_FOUND = "entry_not_found"
    FILE_UNKNOWN = "file_unknown"
    TIER_NOT_FOUND = "tier_not_found"
    APPLICATION_NOT_FOUND = "application_not_found"
    GRANT_NOT_FOUND = "grant_not_found"
    DOCUMENT_NOT_FOUND = "document_not_found"
    REMARK_NOT_FOUND = "remark_not_found"
    LINK_NOT_FOUND = "link_not_found"
    HEAD_NOT_FOUND = "head_not_found"
    ROW_NOT_FOUND = "row_not_found"
    NO_PROOF_YET = "no_proof_yet"
    CODE_NOT_FOUND = "code_not_found"
    SIGNATURE_NOT_FOUND = "signature_not_found"
    FOLDER_NOT_FOUND = "folder_not_found"
    LINK_UNKNOWN = "link_unknown"
    LINK_INVALID = "link_invalid"
    STAND_IN = "stand_in"
    # Requests.
    INVALID_REQUEST = "invalid_request"
    BODY_NOT_UTF8 = "body_not_utf8"
    BODY_NOT_JSON = "body_not_json"
    BODY_TOO_DEEP = "body_too_deep"
    BODY_TOO_LONG = "body_too_long"
    BAD_LIFETIME = "bad_lifetime"
    PRECONDITION_FAILED = "precondition_failed"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    BUSY = "busy"
    DATABASE_UNAVAILABLE = "database_unavailable"
    # Names, stores and publications.
    INVALID_NAME = "invalid_name"
    SOURCE_UNUSABLE = "source_unusable"
    SOURCE_CHANGED = "source_changed"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    STORAGE_FULL = "storage_full"
    CLOCK_SKEWED = "clock_skewed"
    INVALID_ADDRESS = "invalid_address"
    BLOB_TOO_LARGE = "blob_too_large"
    BLOB_MISSING = "blob_missing"
    BLOB_CHANGED = "blob_changed"
    UPLOAD_REFUSED = "upload_refused"
    UPLOAD_MISSING = "upload_missing"
    UPLOAD_PENDING = "upload_pending"
    UPLOAD_QUOTA = "upload_quota"
    UNKNOWN_TIER = "unknown_tier"
    PUBLISH_REFUSED = "publish_refused"
    FINDINGS_REFUSED = "findings_refused"
    XET_MALFORMED = "xet_malformed"
    XET_XORB_UNKNOWN = "xet_xorb_unknown"
    KEY_REFUSED = "key_refused"
    COMMIT_REFUSED = "commit_refused"
    BRANCH_MOVED = "branch_moved"
    NAME_TAKEN = "name_taken"


class WeightsError(DomainError):
    """Base class of the exceptions of the weights app."""


class InvalidName(WeightsError):
    """A repository, ref or file name that the Hub's clients would reject."""

    code = WeightsCode.INVALID_NAME


class SourceUnusable(WeightsError):
    """The folder to publish, or the list of its checksums, cannot be used; the message says why."""

    code = WeightsCode.SOURCE_UNUSABLE


class SourceChanged(WeightsError):
    """A source file changed while it was being read."""

    code = WeightsCode.SOURCE_CHANGED


class StorageUnavailable(WeightsError):
    """The store does not respond; a retry may succeed."""

    code = WeightsCode.STORAGE_UNAVAILABLE


class ClockSkewed(StorageUnavailable):
    """The clock of this machine differs from the store's by more than signatures allow."""

    code = WeightsCode.CLOCK_SKEWED


class InvalidAddress(WeightsError):
    """Not a valid store address."""

    code = WeightsCode.INVALID_ADDRESS


class BadBody(WeightsError):
    """A request body that is not JSON or exceeds a limit; the code says which."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class StorageFull(WeightsError):
    """The store is full."""

    code = WeightsCode.STORAGE_FULL


class BlobTooLarge(WeightsError):
    """A blob larger than the store accepts, or than a check can read."""

    code = WeightsCode.BLOB_TOO_LARGE


class BlobMissing(WeightsError):
    """The blob is not in the store."""

    code = WeightsCode.BLOB_MISSING


class BlobChanged(WeightsError):
    """The stored bytes, or their version, differ from those that were verified."""

    code = WeightsCode.BLOB_CHANGED


class UploadRefused(WeightsError):
    """The uploaded bytes differ from the announced ones; none of them are stored."""

    code = WeightsCode.UPLOAD_REFUSED


class UploadMissing(WeightsError):
    """A commit names an object that this person did not upload to this checkpoint."""

    code = WeightsCode.UPLOAD_MISSING


class AddressRefused(NotAllowed):
    """The signature in an upload URL is invalid, or was made for another upload."""

    code = WeightsCode.LINK_INVALID


class Busy(WeightsError):
    """This process already handles its maximum number of request and response bodies."""

    code = WeightsCode.BUSY


class UploadPending(WeightsError):
    """The SHA-256 of an uploaded object is still being computed; a retry may succeed."""

    code = WeightsCode.UPLOAD_PENDING


class QuotaExceeded(WeightsError):
    """The person's uploads and drafts would take more bytes than the portal allows."""

    code = WeightsCode.UPLOAD_QUOTA


class UnknownTier(WeightsError):
    """There is no tier with that slug."""

    code = WeightsCode.UNKNOWN_TIER


class GateRefused(WeightsError):
    """The gate denied a request; `code` is one of docs/clients.md#what-a-refusal-means.

    `wait` is the number of seconds after which a retry may succeed, if known.
    """

    def __init__(self, code: ErrorCode, message: str, *, wait: int | None = None) -> None:
        super().__init__(message)
        self.code, self.wait = code, wait


class WithdrawalRefused(WeightsError):
    """The revision is already withdrawn, or is a draft."""

    code = AccountsCode.BAD_TRANSITION


class PublishRefused(WeightsError):
    """The publication conflicts with what exists: a name, tier, branch, tag or quarantine."""

    code = WeightsCode.PUBLISH_REFUSED


class KeyRefused(WeightsError):
    """There is no manifest key with that id, or the reason for retiring it is missing."""

    code = WeightsCode.KEY_REFUSED


class FindingsRefused(PublishRefused):
    """The lint found errors in the folder, and `--accept-findings` was not given."""

    code = WeightsCode.FINDINGS_REFUSED


class CommitRefused(WeightsError):
    """A commit's operations exceed a limit, or conflict with the checkpoint or each other."""

    code = WeightsCode.COMMIT_REFUSED


class EntryUnknown(CommitRefused):
    """A commit deletes a file or folder that does not exist; clients parse the message."""

    code = WeightsCode.ENTRY_NOT_FOUND


class BranchMoved(WeightsError):
    """The branch has a newer commit than the parent that the caller named."""

    code = WeightsCode.BRANCH_MOVED


class UnknownRevision(WeightsError):
    """No branch, tag or commit that the caller may see has that name."""

    code = WeightsCode.REVISION_NOT_FOUND


class NameTaken(WeightsError):
    """A checkpoint, branch or tag of that name exists."""

    code = WeightsCode.NAME_TAKEN
