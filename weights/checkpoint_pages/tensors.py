"""The tensors on a file's page, for those who may fetch the file."""

import logging
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator

from accounts.web.sanitize import one_line
from weights import gate
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable
from weights.gate.caller import Caller
from weights.inspection import families, runner
from weights.inspection.formats.source import CachedSource
from weights.inspection.tensor_list import FAMILIES, Tensor
from weights.ledger import recording
from weights.ledger.models import Download
from weights.storage import BlobStorage, blob_storage, excerpts
from weights.storage.models import Blob

log = logging.getLogger(__name__)

PAGE_SIZE = 100
#: Bytes of a file that are read for its list, and seconds that the child process may take.
MAX_BYTES, SECONDS = 32 * 1024 * 1024, 5.0
_JOB = "weights.inspection.tensor_list:page_as_json"


@dataclass(frozen=True)
class TensorPage:
    """A page of the tensors that match `query`; `size` is the bytes of all that match."""

    query: str
    rows: list[Tensor]
    total: int
    size: int
    page: "Page[int]"

    @property
    def url_query(self) -> str:
        """The query for links to other pages, ending in `&`."""
        return f"{urlencode({'q': self.query})}&" if self.query else ""


class _HeaderTooLong(Exception):
    """The list would take more than MAX_BYTES of the file."""


class _StoredBlob:
    """The start of a blob, as a source for parsers."""

    def __init__(self, blob: Blob, version: str, storage: BlobStorage) -> None:
        self.size, self._sha256 = blob.size, blob.sha256
        self._version, self._storage = version, storage

    def read(self, start: int, length: int) -> bytes:
        if start + length > MAX_BYTES:
            raise _HeaderTooLong
        return self._storage.read(self._sha256, start, length, self._version)


class _Blocks(CachedSource):
    """Reads a megabyte at a time: over the network, a few bytes take just as long."""

    BLOCK, CACHED_BLOCKS = 1024 * 1024, 2


def page_of(caller: Caller, decision: gate.Decision, query: str, number: str) -> TensorPage | None:
    """A page of the file's tensors, which the ledger records as shown.

    None if the caller may not fetch the file, if its format lists no tensors, or if its header is
    damaged or takes too long to read.
    """
    file = decision.file
    if file is None or (family := families.family_of(file.path)) not in FAMILIES:
        return None
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    arguments = {"family": family, "query": query, "page": page, "page_size": PAGE_SIZE}
    storage = blob_storage()
    try:
        version = file.blob.served_version(storage)
        source = _Blocks(_StoredBlob(file.blob, version, storage))
        job = runner.page_thread.submit(runner.run, runner.Job(_JOB, arguments), source, SECONDS)
        found = job.result()
        excerpts.confirm_unchanged(file.blob, version, storage)
    except (runner.Broken, _HeaderTooLong, BlobMissing, BlobChanged, StorageUnavailable) as error:
        log.warning("the tensors of %s are not listed: %s", file, error)
        return None
    if "problem" in found:
        return None
    recording.record_served(
        caller, decision, file, Download.Outcome.SHOWN, start=0, length=found["header_bytes"]
    )
    rows = [Tensor(one_line(name), *rest) for name, *rest in found["rows"]]
    pages = Paginator(range(found["matching"]), PAGE_SIZE)
    return TensorPage(query, rows, found["total"], found["bytes"], pages.page(found["page"]))
