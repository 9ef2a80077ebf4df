"""Pages of the public keys that sign manifests."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.audit.merkle_log import keys as audit_keys
from weights.catalogue.download_commands import check_recipe
from weights.catalogue.models import Checkpoint
from weights.manifests.models import ManifestKey, ManifestSignature
from weights.publishing.models import Revision

_COMPROMISED = (
    "This key is compromised{since}: its signatures prove nothing, except those that were"
    " stored elsewhere before. Reasons and other keys are at /keys/\n"
)


@require_safe
def key_list(request: HttpRequest) -> HttpResponse:
    keys = list(ManifestKey.objects.all())
    current = next((key for key in keys if key.state == "current"), None)
    context = {
        "keys": keys,
        "current": current,
        "commands": _example(current),
        "verifiers": audit_keys.key_history(),
    }
    return render(request, "weights/manifests/key_list.html", context)


@require_safe
def key_file(request: HttpRequest, key_id: str) -> HttpResponse:
    """The public key in PEM; 410 for a compromised key."""
    key = ManifestKey.objects.filter(key_id=key_id).first()
    if key is None:
        raise Http404(f"there is no key {key_id}")
    if key.compromised_at is not None:
        since = key.compromised_from
        text = _COMPROMISED.format(since=f" since {since:%Y-%m-%d %H:%M} UTC" if since else "")
        return HttpResponse(text, status=410, content_type="text/plain; charset=utf-8")
    return HttpResponse(key.public_pem, content_type="application/x-pem-file")


def _example(key: ManifestKey | None) -> str:
    """Verification commands for the newest open, public checkpoint; empty if there is none."""
    if key is None:
        return ""
    public = Checkpoint.objects.visible_to(None).filter(tier__mode="open")
    signed = ManifestSignature.objects.filter(
        key=key, revision__checkpoint__in=public, revision__state=Revision.State.VISIBLE
    )
    newest = signed.order_by("-revision__visible_at").select_related("revision__checkpoint")
    signature = newest.defer("bundle").first()
    if signature is None:
        return ""
    revision = signature.revision
    repo_id = revision.checkpoint.repo_id
    return check_recipe(settings.PUBLIC_URL, repo_id, revision.sha, key.key_id, gated=False)
