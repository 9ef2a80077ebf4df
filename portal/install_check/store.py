"""The store: write, read and delete an object; its clock; whether nginx may read its files."""

import hashlib
import secrets
from collections.abc import Iterator

from django.conf import settings

from portal.health import clock, nginx_access
from portal.install_check.findings import Finding, fault, judged, ok, reason, warning, with_remedy
from weights.errors import WeightsError
from weights.storage import blob_storage
from weights.storage.protocol import BlobStorage


def store() -> Iterator[Finding]:
    storage = blob_storage()
    name = "Store (WEIGHTS_STORAGE)"
    if settings.READ_ONLY:
        yield warning(name, "not written to, because READ_ONLY is set")
    else:
        yield _probe(name, storage)
    yield judged("Clock of the store", *clock.check())
    yield judged("Files for nginx (ACCEL_LOCATION)", *nginx_access.check())


def _probe(name: str, storage: BlobStorage) -> Finding:
    """Write random bytes under their hash, read them back, and delete them."""
    content = b"weighbridge check_install " + secrets.token_bytes(32)
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        try:
            with storage.receive(len(content)) as upload:
                upload.write(content)
                upload.commit(sha256)
            found = storage.read(sha256, 0, len(content) + 1)
            stored = storage.stat(sha256)
        finally:
            storage.delete(sha256)
        remains = storage.size(sha256) is not None
    except (WeightsError, OSError) as error:
        cause = f"{storage.address} cannot be used ({reason(error)})"
        remedy = "start or mount it, or correct WEIGHTS_STORAGE or its credentials"
        return fault(name, with_remedy(cause, remedy))
    if found != content:
        return fault(name, f"{storage.address} returns other bytes than were written")
    if remains:
        return fault(name, f"{storage.address}: the probe object cannot be deleted; allow deletion")
    if not storage.is_local and not (stored and stored.sha256):
        text = "keeps no SHA-256 of objects, so surveys cannot compare them (S3_CHECKSUMS)"
        return warning(name, f"{storage.address}: written, read and deleted; it {text}")
    return ok(name, f"{storage.address}: an object was written, read and deleted")
