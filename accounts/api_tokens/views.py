"""The pages of API tokens: create, show once, revoke."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.api_tokens.forms import TokenForm
from accounts.api_tokens.models import ApiToken, Scope
from accounts.grants.models import Grant
from accounts.users.models import User
from accounts.web.current_user import signed_in


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """Show the user's tokens, and the form for a new one.

    Only the response to the POST shows the new token, because sessions are stored and a URL could
    be reopened.
    """
    user = signed_in(request)
    form = TokenForm(request.POST or None, person=user, initial=_default_scopes(user))
    token, plain = None, ""
    if request.method == "POST" and form.is_valid():
        token, plain = ApiToken.objects.mint(user, **form.cleaned_data)
        form = TokenForm(person=user, initial=_default_scopes(user))
    now, tokens = timezone.now(), list(ApiToken.objects.filter(user=user))
    context = {
        "form": form,
        "new_token": token,
        "plain": plain,
        "tokens": tokens,
        "must_replace": any(
            one.must_be_replaced and one.revoked_at is None and one.expires_at > now
            for one in tokens
        ),
        "now": now,
    }
    return render(
        request, "accounts/api_tokens/token_list.html", context, status=422 if form.errors else 200
    )


@login_required
@require_POST
def token_revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    user = signed_in(request)
    token = get_object_or_404(ApiToken, public_id=public_id, user=user)
    token.revoke(by=user)
    messages.success(request, f"The token “{token.name}” is revoked and no longer works.")
    return redirect("accounts:token-list")


def _default_scopes(user: User) -> dict[str, list[str]]:
    """Return the initial scopes: READ, and READ_GATED for holders of a grant."""
    if Grant.objects.live().filter(user=user).exists():
        return {"scopes": [Scope.READ, Scope.READ_GATED]}
    return {"scopes": [Scope.READ]}
