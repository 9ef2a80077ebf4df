"""HTTP responses with bytes or a redirect to them, from a decision of the gate.

With local storage, the kernel sends the bytes (gunicorn's sendfile), or the web server in front
if `ACCEL_LOCATION` is set. With S3, a GET is redirected to a signed URL and the portal answers
HEAD itself, so that the Hub's client passes the gate again to resume. The portal also sends a
first byte itself: Rust's hf-hub reads size and commit from that response, and would follow a
redirect with its Authorization header, which S3 refuses together with a signature.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.http import http_date

from accounts.errors import ErrorCode
from accounts.web.error_pages import ERRORS, error_page
from weights.delivery import file_links
from weights.delivery.bodies import RangedFile, RangedResponse, release_connections, slots
from weights.delivery.ranges import Plan, plan
from weights.errors import (
    BlobChanged,
    BlobMissing,
    ClockSkewed,
    StorageUnavailable,
    WeightsCode,
)
from weights.gate import Decision
from weights.gate.caller import Caller
from weights.integrity import suspension
from weights.ledger import recording
from weights.ledger.models import Download
from weights.publishing.models import File
from weights.storage import BlobStorage, StoredObject, blob_storage
from weights.storage.protocol import blob_key
from weights.web import cross_origin
from weights.web.conditional_requests import Conditions
from weights.web.http_headers import disposition, header_text

log = logging.getLogger(__name__)

#: Retry-After in seconds when the store does not answer.
RETRY_AFTER = 10

_FIRST_BYTE = Plan(206, 0, 1)
_COMPARED = {"HTTP_IF_MATCH", "HTTP_IF_RANGE", "HTTP_IF_UNMODIFIED_SINCE"}

Refuser = Callable[[HttpRequest, Caller, Decision], HttpResponseBase]


def refusal(request: HttpRequest, caller: Caller, decision: Decision) -> HttpResponse:
    """The response to a refused request: status, code and message, as JSON for scripts."""
    code = decision.error_code
    assert code is not None  # a refusal
    response = problem(decision.status, code, decision.message, request)
    if decision.code is not None:
        response["X-Refusal-Code"] = code
    return response


def problem(
    status: int,
    code: ErrorCode,
    message: str,
    request: HttpRequest | None = None,
    *,
    wait: int = RETRY_AFTER,
) -> HttpResponse:
    """An error response: a page for a browser, JSON for a script or without a `request`.

    Both also have the message in a header. `wait` is the Retry-After of 429 and 503, in seconds.
    """
    if request is not None and status in ERRORS and wants_page(request):
        response = error_page(request, status, code=code, message=message)
    else:
        response = JsonResponse({"error": message, "code": code}, status=status)
    response["X-Error-Code"] = code
    response["X-Error-Message"] = header_text(message)
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"  # a link is a secret
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Weighbridge"'
    if status in {429, 503}:
        response["Retry-After"] = str(wait)
    return response


def wants_page(request: HttpRequest) -> bool:
    """True if a browser sent the request; download tools accept `*/*`."""
    return "text/html" in request.META.get("HTTP_ACCEPT", "")


def answer(
    request: HttpRequest,
    caller: Caller,
    decision: Decision,
    *,
    repo_id: str = "",
    revision: str = "",
    path: str = "",
    refuse: Refuser = refusal,
) -> HttpResponseBase:
    """Answer a GET or HEAD by the gate's decision; `repo_id`, `revision`, `path` as requested.

    Writes the ledger before the first byte. Returns 503 if the store does not answer and 429 for
    more downloads than `DOWNLOADS_AT_ONCE`, both with Retry-After. Does not serve bytes that
    changed since their verification, and queues a check of them.
    """
    file = decision.file
    if file is None or not decision.allowed:
        recording.record_refusal(caller, decision, repo_id, revision, path)
        return refuse(request, caller, decision)
    try:
        response = _deliver(request, caller, decision, file)
    except (BlobMissing, BlobChanged, StorageUnavailable) as error:
        return _unavailable(request, file, error)
    present = set(response.headers)
    for name, value in _headers(caller, file).items():
        if name not in present:
            response.headers[name] = value
    return response


def _unavailable(request: HttpRequest, file: File, error: Exception) -> HttpResponse:
    log.error("%s of %s cannot be served: %s", file.sha256, file.path, error)
    message = "The store of this file does not answer; try again in a moment."
    if isinstance(error, BlobChanged):
        suspension.suspend_blob(file.blob, str(error))
        message = "This file is being checked again before it is served; try again in a moment."
    elif isinstance(error, BlobMissing):
        suspension.request_check(file.blob)
    code = WeightsCode.STORAGE_UNAVAILABLE
    if isinstance(error, ClockSkewed):
        code = WeightsCode.CLOCK_SKEWED
        message = "This portal's clock is wrong, so its store refuses it; operators must fix it."
    return problem(503, code, message, request)


def _deliver(
    request: HttpRequest, caller: Caller, decision: Decision, file: File
) -> HttpResponseBase:
    """The response to an allowed request, without the common headers."""
    storage = blob_storage()
    response_plan = plan(
        str(request.method),
        Conditions.of(request.META),
        etag=file.etag,
        size=file.size,
        modified=_modified(file),
    )
    if response_plan.status in {304, 412, 416}:
        return _without_bytes(response_plan, file)
    if request.method == "HEAD":
        return _head(storage, file)
    if not storage.is_local and response_plan == _FIRST_BYTE:
        return _first_byte(storage, caller, decision, file)
    if not storage.is_local:
        return _redirect(storage, caller, decision, file)
    return _send(request, storage, caller, decision, file, response_plan)


# -- responses without bytes ----------------------------------------------------------------


def _without_bytes(response_plan: Plan, file: File) -> HttpResponse:
    if response_plan.status == 304:
        response = HttpResponse(status=304)
        del response["Content-Type"]
        # The length of the 200 response (RFC 9110 8.6); a cache would store this body's 0.
        response["Content-Length"] = str(file.size)
        return response
    if response_plan.status == 412:
        return problem(
            412, WeightsCode.PRECONDITION_FAILED, "The file is not in the state you asked for."
        )
    if not file.size:
        # Clients that start with the first byte expect success and the size for an empty file
        # too. RFC 9110 lets a server ignore Range, and send Content-Range with a 200.
        response = HttpResponse(content_type="application/octet-stream")
        response["Content-Range"] = "bytes */0"
        return response
    response = problem(416, WeightsCode.RANGE_NOT_SATISFIABLE, f"The file has {file.size} bytes.")
    response["Content-Range"] = str(response_plan.content_range(file.size))
    return response


def _head(storage: BlobStorage, file: File) -> HttpResponse:
    """The headers of a GET. Checks a local file for changes first, so that HEAD and GET agree."""
    if storage.is_local:
        suspension.demand_unchanged(storage.stat(file.sha256), file.blob, storage)
    response = HttpResponse(content_type="application/octet-stream")
    response["Content-Length"] = str(file.size)
    return response


def _redirect(storage: BlobStorage, caller: Caller, decision: Decision, file: File) -> HttpResponse:
    now = timezone.now()
    minutes = file.revision.checkpoint.tier.file_link_minutes
    limits = file_links.ends_of(decision.grant, caller)
    expires = file_links.expiry(file.size, minutes, now, *limits)
    url = storage.signed_url(
        file.sha256,
        filename=_name(file),
        seconds=max(1, int((expires - now).total_seconds())),
        version=file.blob.version_of(storage.address),
    )
    if url is None:
        raise StorageUnavailable("the store provides neither a path nor a URL")
    _record(caller, decision, file, Download.Outcome.REDIRECTED, Plan(302, 0, file.size))
    response = HttpResponse(status=302)
    response["Location"] = url
    return response


# -- bytes --------------------------------------------------------------------------------


def _first_byte(
    storage: BlobStorage, caller: Caller, decision: Decision, file: File
) -> HttpResponse:
    """The first byte of a remote blob, read by the portal."""
    content = storage.read(file.sha256, 0, 1, file.blob.version_of(storage.address))
    _record(caller, decision, file, Download.Outcome.SERVED, _FIRST_BYTE)
    response = HttpResponse(content, status=206, content_type="application/octet-stream")
    response["Content-Length"] = "1"
    response["Content-Range"] = f"bytes 0-0/{file.size}"
    # A browser that cached it would request the other bytes and be redirected.
    response["Cache-Control"] = "private, no-store"
    return response


def _send(
    request: HttpRequest,
    storage: BlobStorage,
    caller: Caller,
    decision: Decision,
    file: File,
    response_plan: Plan,
) -> HttpResponseBase:
    if settings.ACCEL_LOCATION and not _server_would_misread(request):
        suspension.demand_unchanged(storage.stat(file.sha256), file.blob, storage)
        _record(caller, decision, file, Download.Outcome.SERVED, response_plan)
        return _handed_over(file)
    release = slots.take(response_plan.length, request.META.get("gunicorn.socket"))
    if release is None:
        wait = slots.wait()
        message = f"All download slots are in use; try again in {wait} s."
        return problem(429, WeightsCode.BUSY, message, request, wait=wait)
    try:
        body = RangedFile(
            _opened(storage, file), response_plan.start, response_plan.length, release
        )
    except BaseException:
        release()
        raise
    try:
        _record(caller, decision, file, Download.Outcome.SERVED, response_plan)
    except BaseException:
        body.close()
        raise
    release_connections()
    return _streamed(body, response_plan, file.size)


def _server_would_misread(request: HttpRequest) -> bool:
    """True for headers that nginx would compare with its own ETag and date instead of ours."""
    return not _COMPARED.isdisjoint(request.META)


def _handed_over(file: File) -> HttpResponse:
    """An empty response that makes the web server send the file and handle Range itself."""
    response = HttpResponse(content_type="application/octet-stream")
    location = settings.ACCEL_LOCATION.rstrip("/")
    response["X-Accel-Redirect"] = f"{location}/{blob_key(file.sha256)}"
    return response


def _streamed(body: RangedFile, response_plan: Plan, size: int) -> RangedResponse:
    response = RangedResponse(
        body, status=response_plan.status, content_type="application/octet-stream"
    )
    response["Content-Length"] = str(response_plan.length)
    if (content_range := response_plan.content_range(size)) is not None:
        response["Content-Range"] = content_range
    return response


def _opened(storage: BlobStorage, file: File) -> BinaryIO:
    """Open the blob. Raises BlobChanged before any header states its length."""
    stream = storage.open(file.sha256)
    try:
        found: StoredObject = stream.stored  # type: ignore[attr-defined]
        suspension.demand_unchanged(found, file.blob, storage)
    except BaseException:
        stream.close()
        raise
    return stream


def _record(
    caller: Caller, decision: Decision, file: File, outcome: Download.Outcome, response_plan: Plan
) -> None:
    recording.record_served(
        caller, decision, file, outcome, start=response_plan.start, length=response_plan.length
    )


# -- headers ------------------------------------------------------------------------------


def _headers(caller: Caller, file: File) -> dict[str, str]:
    """The headers of every response for an allowed file, with or without bytes."""
    tag = f'"{file.etag}"'
    return {
        "ETag": tag,
        "Last-Modified": _date(_modified(file)),
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(_name(file)),
        "Cache-Control": cache_control(caller, file),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Repo-Commit": file.revision.sha,
        "X-Linked-Etag": tag,
        "X-Linked-Size": str(file.size),
        **cross_origin.headers(caller, file.revision.checkpoint),
    }


def cache_control(caller: Caller, file: File) -> str:
    """Caches may store open files, which they must revalidate, and nothing else."""
    if cross_origin.is_public(caller, file.revision.checkpoint):
        return "public, no-cache"
    return "private, no-store"


def _name(file: File) -> str:
    return file.path.rpartition("/")[2]


#: Cached, since all files of a revision have the same date.
_date = lru_cache(maxsize=1024)(http_date)


def _modified(file: File) -> int:
    """The time of publication, in seconds since the epoch."""
    revision = file.revision
    return int((revision.visible_at or revision.created_at).timestamp())
