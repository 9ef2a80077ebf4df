"""The page on which holders surrender a grant."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from accounts.errors import TransitionRefused
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.web.current_user import signed_in


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def grant_surrender(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Explain the consequences; POST ends the grant and shows which URLs still work."""
    user = signed_in(request)
    grants = Grant.objects.filter(user=user).select_related("tier__licence", "user")
    grant = get_object_or_404(grants, public_id=public_id)
    context: dict[str, object] = {"grant": grant}
    status = 200
    if request.method == "POST":
        try:
            context["receipt"] = lifecycle.surrender(grant, by=user)
        except TransitionRefused:
            status = 409
    return render(request, "accounts/grants/grant_surrender.html", context, status=status)
