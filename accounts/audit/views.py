"""Public pages of signed heads, and the user's own events with their proofs."""

from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.audit.merkle_log import proof_documents, sealed_tables, signed_heads, standalone
from accounts.audit.models import SignedHead
from accounts.errors import AccountsCode
from accounts.web.current_user import signed_in

HEADS_PER_PAGE = 30
EVENTS_PER_PAGE = 50
_SCRIPT = Path(standalone.__file__).parent / "check_proof.py"
_NONE_YET = (
    "No head has been signed yet. The first one is signed within a minute of the first seal.\n"
)
_ALL_COMPROMISED = (
    "Every head was signed with a compromised key; see /keys/. A new key will sign the next one.\n"
)


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Show the newest trusted head, its key, and all heads."""
    page = Paginator(SignedHead.objects.with_compromised().order_by("-size", "-pk"), HEADS_PER_PAGE)
    context = {
        "head": signed_heads.newest_trusted(),
        "page": page.get_page(request.GET.get("page")),
    }
    return render(request, "accounts/audit/audit.html", context)


@require_safe
def head_newest(request: HttpRequest) -> HttpResponse:
    """Return the newest trusted head as a signed note."""
    head = signed_heads.newest_trusted()
    if head is None:
        return _plain(_ALL_COMPROMISED if SignedHead.objects.exists() else _NONE_YET, status=404)
    return _plain(head.note)


@require_safe
def head_of_size(request: HttpRequest, size: int) -> HttpResponse:
    """Return the head over `size` rows as a signed note."""
    head = signed_heads.of_size(size)
    if head is None:
        raise Http404(f"no head over {size} rows was signed")
    return _plain(head.note)


@require_safe
def proof_script(request: HttpRequest) -> HttpResponse:
    """Download the standalone script that verifies a proof document."""
    response = _plain(_SCRIPT.read_text(encoding="utf-8"))
    response["Content-Disposition"] = 'attachment; filename="check_proof.py"'
    return response


@login_required
@require_safe
def own_events(request: HttpRequest) -> HttpResponse:
    """Show the events that concern the user."""
    rows = proof_documents.OwnRows(sealed_tables.EVENTS, signed_in(request))
    paginator = Paginator(rows, EVENTS_PER_PAGE)
    head = signed_heads.newest_trusted()
    context = {
        "page": paginator.get_page(request.GET.get("page")),
        "head": head,
        "command": f"python3 check_proof.py '{head.vkey}' < proof.json" if head else "",
    }
    return render(request, "accounts/audit/own_events.html", context)


@login_required
@require_safe
def own_proof(request: HttpRequest, log: str, row_id: int) -> HttpResponse:
    """Download the proof of one of the user's own rows; 404 for any other row."""
    try:
        document = proof_documents.inclusion(sealed_tables.get_log(log), signed_in(request), row_id)
    except KeyError as error:
        raise Http404(f"there is no log {log}") from error
    except proof_documents.NotCovered:
        return render(request, "accounts/audit/proof_later.html", status=409)
    if document is None:
        raise Http404(f"you have no {log} {row_id}")
    response = JsonResponse(document, json_dumps_params={"indent": 1, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="proof-{log}-{row_id}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


def _plain(text: str, status: int = 200) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    if status == 404:
        response["X-Error-Code"] = AccountsCode.NOT_FOUND
    return response
