"""Permanent URLs of a revision's manifest, signature and checksums."""

from hashlib import sha256

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe

from weights import gate
from weights.delivery import serving
from weights.errors import WeightsCode
from weights.hub_api.authentication import bearer_claim_or_session
from weights.manifests import signatures
from weights.manifests.document import document_of, sums_of
from weights.manifests.models import ManifestSignature
from weights.publishing.models import Revision

#: Cache-Control of public documents: short, since a checkpoint may be hidden or withdrawn.
_FIVE_MINUTES = "public, max-age=300"


@require_safe
def manifest(request: HttpRequest, org: str, name: str, sha: str) -> HttpResponseBase:
    decision = _find(request, org, name, sha)
    revision = _revision(decision)
    if revision is None:
        return serving.refusal(request, decision.caller, decision)
    return _respond(request, decision, document_of(revision).text, "application/json")


@require_safe
def sums(request: HttpRequest, org: str, name: str, sha: str) -> HttpResponseBase:
    """Checksums in the format of `sha256sum -c`."""
    decision = _find(request, org, name, sha)
    revision = _revision(decision)
    if revision is None:
        return serving.refusal(request, decision.caller, decision)
    return _respond(request, decision, sums_of(document_of(revision)), "text/plain")


@require_safe
def signature(request: HttpRequest, org: str, name: str, sha: str) -> HttpResponseBase:
    """The signature by the newest key, or by the key that `?key=` names."""
    decision = _find(request, org, name, sha)
    if not decision.allowed or decision.revision is None:
        return serving.refusal(request, decision.caller, decision)
    signature = signatures.signature_of(decision.revision, request.GET.get("key", ""))
    if signature is None:
        message = _missing_signature(decision.revision)
        return serving.problem(404, WeightsCode.SIGNATURE_NOT_FOUND, message, request)
    return _respond(request, decision, signature.bundle, "application/json")


def _missing_signature(revision: Revision) -> str:
    compromised = ManifestSignature.objects.filter(revision=revision).exclude(
        key__compromised_at=None
    )
    key = compromised.values_list("key__key_id", flat=True).first()
    if key is None:
        return "There is no such signature. New revisions are signed within a minute."
    return (
        f"Its signature by {key} proves nothing, because that key is compromised (/keys/)."
        " A new key signs it within minutes of its first use."
    )


def _find(request: HttpRequest, org: str, name: str, sha: str) -> gate.Decision:
    return gate.may_read_revision(
        bearer_claim_or_session(request), f"{org}/{name}", sha, timezone.now()
    )


def _revision(decision: gate.Decision) -> Revision | None:
    """The revision with everything that its document needs; None after a refusal."""
    if not decision.allowed or decision.revision is None:
        return None
    related = Revision.objects.select_related("checkpoint__tier__licence", "parent")
    return related.get(pk=decision.revision.pk)


def _respond(
    request: HttpRequest, decision: gate.Decision, text: str, content_type: str
) -> HttpResponseBase:
    """The text with its ETag. Only anonymous responses about open checkpoints may be cached."""
    response = HttpResponse(text, content_type=f"{content_type}; charset=utf-8")
    response["ETag"] = f'"{sha256(response.content).hexdigest()}"'
    checkpoint = decision.checkpoint
    is_open = checkpoint is not None and not checkpoint.tier.is_gated and not checkpoint.private
    public = decision.caller.kind == "anonymous" and is_open
    response["Cache-Control"] = _FIVE_MINUTES if public else "private, no-store"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    conditional = get_conditional_response(request, etag=response["ETag"], response=response)
    assert conditional is not None  # only None when no response is passed
    return conditional
