"""Images of a revision, for its card: the portal serves them itself from every store."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.errors import AccountsCode
from accounts.web.current_user import user_or_none
from weights import gate
from weights.delivery import serving
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable, WeightsCode
from weights.gate.caller import session_caller
from weights.ledger import recording
from weights.ledger.models import Download
from weights.storage import blob_storage, excerpts
from weights.web.conditional_requests import Conditions, not_modified

#: Maximum bytes of an image.
MAX_BYTES = 5_000_000
#: Media types by the first bytes. SVG is not among them, since it can contain scripts.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@require_safe
def image(request: HttpRequest, org: str, name: str, sha: str, path: str) -> HttpResponseBase:
    """Serve an image of the revision `sha` if the gate allows it; 404 for other files."""
    caller, repo_id = session_caller(user_or_none(request)), f"{org}/{name}"
    decision = gate.decide(caller, repo_id, sha, path, timezone.now())
    file = decision.file
    if file is None:
        recording.record_refusal(caller, decision, repo_id, sha, path)
        return serving.refusal(request, caller, decision)
    if file.size > MAX_BYTES:
        return _no_image(request)
    if not_modified(Conditions.of(request.META), file.etag, 0):
        return HttpResponseNotModified(headers={"ETag": f'"{file.etag}"'})
    try:
        content = excerpts.read(file.blob, MAX_BYTES, blob_storage())
    except (BlobMissing, BlobChanged, StorageUnavailable):
        message = "The store of this file does not answer; try again in a moment."
        return serving.problem(503, WeightsCode.STORAGE_UNAVAILABLE, message, request)
    if (media_type := media_type_of(content)) is None:
        return _no_image(request)
    recording.record_served(
        caller, decision, file, Download.Outcome.SHOWN, start=0, length=file.size
    )
    headers = {
        "ETag": f'"{file.etag}"',
        "Cache-Control": serving.cache_control(caller, file),
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return HttpResponse(content, content_type=media_type, headers=headers)


def media_type_of(content: bytes) -> str | None:
    """The media type of a PNG, JPEG, GIF or WebP image; None for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)


def _no_image(request: HttpRequest) -> HttpResponse:
    message = f"This is not a PNG, JPEG, GIF or WebP image of at most {MAX_BYTES // 10**6} MB."
    return serving.problem(404, AccountsCode.NOT_FOUND, message, request)
