"""The Issues tab: recalls, known issues and findings of one checkpoint."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from weights.checkpoint_pages.header import Tab, header
from weights.known_issues.models import KnownIssue
from weights.recalls import notices
from weights.web.lookup import checkpoint_or_404

PAGE_SIZE = 30


@require_safe
def checkpoint_issues(request: HttpRequest, org: str, name: str) -> HttpResponse:
    checkpoint = checkpoint_or_404(request, org, name)
    issues = KnownIssue.objects.filter(checkpoint=checkpoint, withdrawn_at=None)
    page = Paginator(issues, PAGE_SIZE).get_page(request.GET.get("page"))
    recalls = notices.of_checkpoint(checkpoint)
    count = page.paginator.count + len(recalls)
    context = {
        "header": header(checkpoint, Tab.ISSUES, issues=count),
        "checkpoint": checkpoint,
        "recalls": recalls,
        "page": page,
    }
    return render(request, "weights/checkpoint_pages/checkpoint_issues.html", context)
