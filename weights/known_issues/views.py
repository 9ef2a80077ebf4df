"""The public list of known issues and findings."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.web.current_user import user_or_none
from weights.known_issues.models import KnownIssue

PAGE_SIZE = 30


@require_safe
def finding_list(request: HttpRequest) -> HttpResponse:
    """Published issues and findings, newest first."""
    issues = KnownIssue.objects.visible_to(user_or_none(request)).select_related("checkpoint")
    page = Paginator(issues, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "weights/known_issues/finding_list.html", {"issues": page})
