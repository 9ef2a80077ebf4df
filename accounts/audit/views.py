"""What anybody may know of the audit trail: its signed heads, and how a proof is checked.

And for the person whom rows concern, the rows themselves and their proofs.
"""

from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.audit.merkle_log import heads, logs, own_proofs, standalone
from accounts.audit.models import SignedHead
from accounts.web.current_user import signed_in

HEADS_PAGE = 30
ROWS_PAGE = 50
_SCRIPT = Path(standalone.__file__).parent / "check_proof.py"
_NONE_YET = "No head has been signed yet. The first one comes within a minute of the first seal.\n"
_IN_DOUBT = (
    "Every head was signed with a compromised key; see /keys/. A new key signs the next one.\n"
)


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The newest head, the key, and every head before it."""
    page = Paginator(SignedHead.objects.with_doubts().order_by("-size", "-pk"), HEADS_PAGE)
    context = {
        "head": heads.newest(),
        "page": page.get_page(request.GET.get("page")),
    }
    return render(request, "accounts/audit/audit.html", context)


@require_safe
def head_newest(request: HttpRequest) -> HttpResponse:
    """The newest head, as tools for logs fetch it."""
    head = heads.newest()
    if head is None:
        return _plain(_IN_DOUBT if SignedHead.objects.exists() else _NONE_YET, status=404)
    return _plain(head.note)


@require_safe
def head_of_size(request: HttpRequest, size: int) -> HttpResponse:
    head = heads.of_size(size)
    if head is None:
        raise Http404(f"no head over {size} rows was signed")
    return _plain(head.note)


@require_safe
def proof_script(request: HttpRequest) -> HttpResponse:
    """The script that checks a proof, to be read before it is run."""
    response = _plain(_SCRIPT.read_text(encoding="utf-8"))
    response["Content-Disposition"] = 'attachment; filename="check_proof.py"'
    return response


@login_required
@require_safe
def own_events(request: HttpRequest) -> HttpResponse:
    """What the trail says about the person who is signed in."""
    rows = own_proofs.Rows(logs.EVENTS, signed_in(request))
    paginator = Paginator(rows, ROWS_PAGE)
    head = heads.newest()
    context = {
        "page": paginator.get_page(request.GET.get("page")),
        "head": head,
        "command": f"python3 check_proof.py '{head.vkey}' < proof.json" if head else "",
    }
    return render(request, "accounts/audit/own_events.html", context)


@login_required
@require_safe
def own_proof(request: HttpRequest, log: str, row_id: int) -> HttpResponse:
    """The proof of one of one's own rows as a file; another's is not there."""
    try:
        found = own_proofs.of(logs.named(log), signed_in(request), row_id)
    except KeyError as error:
        raise Http404(f"there is no log {log}") from error
    except own_proofs.NotYet:
        return render(request, "accounts/audit/proof_later.html", status=409)
    if found is None:
        raise Http404(f"you have no {log} {row_id}")
    response = JsonResponse(found, json_dumps_params={"indent": 1, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="proof-{log}-{row_id}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


def _plain(text: str, status: int = 200) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response
