"""Recalls as their owners see them: how far it reaches, who was told, and the list as a file."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Max, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.roles.tier_scoped_admin import permitted_tiers
from accounts.users.models import User
from accounts.web.csv_lines import csv_lines
from accounts.web.current_user import signed_in
from weights.catalogue.models import Checkpoint
from weights.ledger.models import Download
from weights.recalls import affected, notices
from weights.recalls.models import Recall

PEOPLE_SHOWN = 100
_PEOPLE_AT_ONCE = 500


@admin.register(Recall)
class RecallAdmin(ReadOnlyAdmin):
    """Of the tiers of one's roles; they are opened and closed by what happens to the bytes."""

    list_display = ["__str__", "state", "cause", "opened_at", "repaired_at", "told_at"]
    list_filter = ["state", "cause"]
    list_select_related = ["blob", "revision__checkpoint"]
    date_hierarchy = "opened_at"
    change_form_template = "admin/weights/recall/page.html"
    fields = [
        *("state", "cause", "reason", "blob", "revision"),
        *("opened_by", "opened_at", "repaired_at", "repaired_in", "told_at"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recall]:
        found: QuerySet[Recall] = super().get_queryset(request)
        tiers = permitted_tiers(signed_in(request), "weights.view_recall")
        if tiers is None:
            return found
        of_bytes = Q(blob__files__revision__checkpoint__tier__in=tiers)
        return found.filter(of_bytes | Q(revision__checkpoint__tier__in=tiers)).distinct()

    def get_urls(self) -> list[URLPattern]:
        fetchers = self.admin_site.admin_view(self.fetchers)
        own = path("<path:object_id>/fetchers/", fetchers, name="weights_recall_fetchers")
        return [own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        recall = self.get_object(request, object_id)
        context: dict[str, Any] = {"recall": recall}
        if self.has_view_permission(request, recall):
            rows = _readable(request, recall)
            context["reach"] = affected.reach(recall, rows)
            context["mails"] = _mails(recall)
            context["places"] = notices.in_full(recall, signed_in(request)).places
            if request.user.has_perm("weights.read_fetchers"):
                people = Paginator(_people(rows), PEOPLE_SHOWN)
                page = people.get_page(request.GET.get("page"))
                context["people"], context["lines"] = page, list(_named(page.object_list))
        return super().change_view(request, object_id, form_url, context)

    def fetchers(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """The list as CSV, written into the audit trail; by POST, since it leaves a mark."""
        recall = self.get_object(request, object_id)
        if request.method != "POST" or not request.user.has_perm("weights.read_fetchers"):
            raise PermissionDenied("press the button on the recall's page")
        rows = _readable(request, recall)
        details = {"people": affected.reach(recall, rows).people}
        by = signed_in(request)
        AuditEvent.record("recall.fetchers_exported", actor=by, target=recall, details=details)
        name = f"recall-{recall.public_id}.csv"
        return StreamingHttpResponse(
            _lines(rows),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "private, no-store",
            },
        )


def _readable(request: HttpRequest, recall: Recall) -> QuerySet[Download]:
    """What of the ledger this person reads: downloads from checkpoints of their tiers."""
    rows = affected.fetches(recall)
    tiers = permitted_tiers(signed_in(request), "weights.view_recall")
    if tiers is None:
        return rows
    return rows.filter(checkpoint_id__in=Checkpoint.objects.filter(tier__in=tiers).values("pk"))


def _mails(recall: Recall) -> dict[str, int]:
    """How many were written, left, and failed."""
    mails = OutgoingMail.objects.filter(object_kind="recall", object_id=str(recall.public_id))
    state = OutgoingMail.State
    found = mails.values_list("state", flat=True)
    counted = {one: found.filter(state=one).count() for one in (state.SENT, state.FAILED)}
    return {"written": mails.count(), "sent": counted[state.SENT], "failed": counted[state.FAILED]}


def _people(rows: QuerySet[Download]) -> Any:
    """One line a person: first and last time; in the order of their ids."""
    known = rows.exclude(user_id=None).values("user_id")
    return known.annotate(first=Min("at"), last=Max("at")).order_by("user_id")


def _named(lines: Any) -> Iterator[dict[str, Any]]:
    lines = list(lines)
    people = User.objects.in_bulk([line["user_id"] for line in lines])
    for line in lines:
        person = people.get(line["user_id"])
        told = person is not None and person.is_active and bool(person.email)
        yield {**line, "person": person, "told": told}


def _lines(rows: QuerySet[Download]) -> Iterator[str]:
    yield from csv_lines([["person", "name", "address", "first", "last"]])
    people = _people(rows)
    for start in range(0, people.count(), _PEOPLE_AT_ONCE):
        yield from csv_lines(map(_cells, _named(people[start : start + _PEOPLE_AT_ONCE])))


def _cells(line: dict[str, Any]) -> list[str]:
    person = line["person"]
    cells = [person.username, person.display_name, person.email] if person else [""] * 3
    return [*cells, *(f"{line[at]:%Y-%m-%dT%H:%M:%SZ}" for at in ("first", "last"))]
