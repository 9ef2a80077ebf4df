"""A revision's manifest, its signature and its sums, at addresses that stay."""

from hashlib import sha256

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe

from weights import gate
from weights.delivery import serving
from weights.hub_api.authentication import bearer_claim_or_session
from weights.manifests import signatures
from weights.manifests.document import document_of, sums_of
from weights.manifests.models import ManifestSignature
from weights.publishing.models import Revision

#: Of what never changes, and of a signature, which a newer key may take the place of.
_FOR_EVER = "public, max-age=31536000, immutable"
_A_WHILE = "public, max-age=300"


@require_safe
def manifest(request: HttpRequest, org: str, name: str, sha: str) -> HttpResponseBase:
    decision = _found(request, org, name, sha)
    revision = _whole(decision)
    if revision is None:
        return serving.refusal(request, decision.caller, decision)
    return _sent(request, decision, document_of(revision).text, "application/json", _FOR_EVER)


@require_safe
def sums(request: HttpRequest, org: str, name: str, sha: str) -> HttpResponseBase:
    """The form of `sha256sum -c`."""
    decision = _found(request, org, name, sha)
    revision = _whole(decision)
    if revision is None:
        return serving.refusal(request, decision.caller, decision)
    return _sent(request, decision, sums_of(document_of(revision)), "text/plain", _FOR_EVER)


@require_safe
def signature(request: HttpRequest, org: str, name: str, sha: str) -> HttpResponseBase:
    """By the newest key, or by the one that `?key=` names."""
    decision = _found(request, org, name, sha)
    if not decision.allowed or decision.revision is None:
        return serving.refusal(request, decision.caller, decision)
    found = signatures.offered(decision.revision, request.GET.get("key", ""))
    if found is None:
        message = _why_none(decision.revision)
        return serving.problem(404, "signature_not_found", message, request)
    return _sent(request, decision, found.bundle, "application/json", _A_WHILE)


def _why_none(revision: Revision) -> str:
    spoilt = ManifestSignature.objects.filter(revision=revision).exclude(key__compromised_at=None)
    key = spoilt.values_list("key__key_id", flat=True).first()
    if key is None:
        return "There is no such signature. A new revision is signed within a minute."
    return (
        f"Its signature by {key} proves nothing any more, for that key is compromised (/keys/)."
        " A new key signs it within minutes of its first use."
    )


def _found(request: HttpRequest, org: str, name: str, sha: str) -> gate.Decision:
    return gate.may_read_revision(
        bearer_claim_or_session(request), f"{org}/{name}", sha, timezone.now()
    )


def _whole(decision: gate.Decision) -> Revision | None:
    """The revision found, with all that its document tells; None for a refusal."""
    if not decision.allowed or decision.revision is None:
        return None
    related = Revision.objects.select_related("checkpoint__tier__licence", "parent")
    return related.get(pk=decision.revision.pk)


def _sent(
    request: HttpRequest, decision: gate.Decision, text: str, content_type: str, kept: str
) -> HttpResponseBase:
    """The text with its tag; what a known caller is given stays out of shared caches."""
    response = HttpResponse(text, content_type=f"{content_type}; charset=utf-8")
    response["ETag"] = f'"{sha256(response.content).hexdigest()}"'
    public = decision.caller.kind == "anonymous"
    response["Cache-Control"] = kept if public else "private, no-store"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    conditional = get_conditional_response(request, etag=response["ETag"], response=response)
    assert conditional is not None  # it is the response itself where no condition was met
    return conditional
