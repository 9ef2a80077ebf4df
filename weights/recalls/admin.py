"""Admin pages of recalls: their reach, their mails, and the people who downloaded the files."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Max, Min, Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.roles.tier_scoped_admin import TierFilteredAdmin, permitted_tiers
from accounts.users.models import User
from accounts.web.csv_lines import csv_download
from accounts.web.current_user import signed_in
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.ledger.models import Download
from weights.recalls import affected, notices
from weights.recalls.models import Recall

PEOPLE_PER_PAGE = 100
_CSV_BATCH = 500


@admin.register(Recall)
class RecallAdmin(ReadOnlyAdmin, TierFilteredAdmin):
    """Recalls in the tiers of the user's roles; read-only, as the system opens and closes them."""

    list_display = ["__str__", "state", "cause", "opened_at", "repaired_at", "told_at"]
    list_filter = ["state", "cause"]
    list_select_related = ["blob", "revision__checkpoint"]
    date_hierarchy = "opened_at"
    change_form_template = "admin/weights/recall/page.html"
    fields = [
        *("state", "cause", "reason", "blob", "revision"),
        *("opened_by", "opened_at", "repaired_at", "repaired_in", "told_at"),
    ]

    def of_tiers(self, records: QuerySet[Any], tiers: set[int]) -> QuerySet[Any]:
        of_blob = Q(blob__files__revision__checkpoint__tier__in=tiers)
        return records.filter(of_blob | Q(revision__checkpoint__tier__in=tiers)).distinct()

    def get_urls(self) -> list[URLPattern]:
        fetchers = self.admin_site.admin_view(self.fetchers)
        own = path("<path:object_id>/fetchers/", fetchers, name="weights_recall_fetchers")
        return [own, *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        recall = self.get_object(request, object_id)
        context: dict[str, Any] = {"recall": recall}
        if self.has_view_permission(request, recall):
            rows = _readable(request, recall)
            context["reach"] = affected.reach(recall, rows)
            context["mails"] = _mails(recall)
            context["places"] = notices.notice_detail(recall, signed_in(request)).places
            if request.user.has_perm("weights.read_fetchers"):
                listed = _readable(request, recall, "weights.read_fetchers")
                people = Paginator(_people(listed), PEOPLE_PER_PAGE)
                page = people.get_page(request.GET.get("page"))
                context["people"], context["lines"] = page, list(_with_users(page.object_list))
        return super().change_view(request, object_id, extra_context=context)

    def fetchers(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """The people as CSV. Recorded in the audit trail, hence POST only."""
        recall = self.get_object(request, object_id)
        if request.method != "POST" or not request.user.has_perm("weights.read_fetchers"):
            raise PermissionDenied("use the button on the recall's page")
        rows = _readable(request, recall, "weights.read_fetchers")
        details = {"people": affected.reach(recall, rows).people}
        by = signed_in(request)
        AuditEvent.record(
            WeightsEvent.RECALL_FETCHERS_EXPORTED, actor=by, target=recall, details=details
        )
        return csv_download(_csv(rows), f"recall-{recall.public_id}.csv")


def _readable(
    request: HttpRequest, recall: Recall, permission: str = "weights.view_recall"
) -> QuerySet[Download]:
    """The recall's ledger rows in the tiers for which the user's roles give `permission`."""
    rows = affected.fetches(recall)
    tiers = permitted_tiers(signed_in(request), permission)
    if tiers is None:
        return rows
    return rows.filter(checkpoint_id__in=Checkpoint.objects.filter(tier__in=tiers).values("pk"))


def _mails(recall: Recall) -> dict[str, int]:
    """Numbers of mails written, sent and failed."""
    mails = OutgoingMail.objects.filter(object_kind="recall", object_id=str(recall.public_id))
    state = OutgoingMail.State
    return {
        "written": mails.count(),
        "sent": mails.filter(state=state.SENT).count(),
        "failed": mails.filter(state=state.FAILED).count(),
    }


def _people(rows: QuerySet[Download]) -> Any:
    """Each person's id with the first and last fetch, sorted by id."""
    by_user = rows.exclude(user_id=None).values("user_id")
    return by_user.annotate(first=Min("at"), last=Max("at")).order_by("user_id")


def _with_users(lines: Any) -> Iterator[dict[str, Any]]:
    lines = list(lines)
    people = User.objects.in_bulk([line["user_id"] for line in lines])
    confirmed = set(
        User.objects.filter(pk__in=people, emailaddress__verified=True).values_list("pk", flat=True)
    )
    for line in lines:
        person = people.get(line["user_id"])
        mailed = person is not None and person.is_active and person.pk in confirmed
        yield {**line, "person": person, "mailed": mailed}


def _csv(rows: QuerySet[Download]) -> Iterator[list[str]]:
    yield ["person", "name", "address", "first", "last"]
    people = _people(rows)
    for start in range(0, people.count(), _CSV_BATCH):
        yield from map(_csv_row, _with_users(people[start : start + _CSV_BATCH]))


def _csv_row(line: dict[str, Any]) -> list[str]:
    person = line["person"]
    cells = [person.username, person.display_name, person.email] if person else [""] * 3
    return [*cells, *(f"{line[at]:%Y-%m-%dT%H:%M:%SZ}" for at in ("first", "last"))]
