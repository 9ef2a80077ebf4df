"""Public pages of recalls: the list and the page of each recall."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.web.current_user import user_or_none
from weights.recalls import notices

PAGE_SIZE = 30


@require_safe
def recall_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(notices.visible_recalls(user_or_none(request)), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    listed = notices.notices_for(page.object_list, user_or_none(request))
    return render(request, "weights/recalls/recall_list.html", {"page": page, "notices": listed})


@require_safe
def recall_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    recall = get_object_or_404(notices.visible_recalls(user_or_none(request)), public_id=public_id)
    return render(
        request,
        "weights/recalls/recall_detail.html",
        {"notice": notices.notice_detail(recall, user_or_none(request))},
    )
