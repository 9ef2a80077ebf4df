"""The filters, search and columns of the queue."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import Truncator

from accounts.applications.models import Application, ApplicationQuerySet, ApplicationSnapshot
from accounts.applications.transition_table import OPEN_STATES, WAITING_STATES, Status
from accounts.review import queue, working_days
from accounts.review.queue import Desk, Flag
from accounts.tiers.models import Tier
from accounts.web.current_user import signed_in

_REFERENCE = re.compile(r"(?:A-\d{4}-)?0*(\d{1,9})", re.IGNORECASE)
#: Maximum characters of an organisation's name in a row.
ORGANISATION_LENGTH = 60
#: Questions whose answers are searched.
_SEARCHED = ("title", "full_name", "org_name", "work_email")
#: The related records that the columns show.
_JOINED = ("applicant", "tier", "claimed_by")
#: An empty cell; narrow screens hide it.
NONE = mark_safe('<span class="none">–</span>')  # nosec B308


class MenuFilter(admin.SimpleListFilter):
    """A filter with fixed values: those of `field`, unless `queryset` is overridden.

    An unknown value is ignored.
    """

    options: Sequence[tuple[str, Any]] = ()
    field = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return self.options

    def value(self) -> str | None:
        value = super().value()
        return value if value in {str(choice) for choice, _ in self.lookup_choices} else None

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class DeskFilter(MenuFilter):
    """The saved filters, shown above the list as links with counts."""

    title, parameter_name = "desk", "desk"
    options = Desk.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        return queryset.filter(queue.desk_condition(str(self.value()), signed_in(request)))


class StateFilter(MenuFilter):
    """Shows applications that wait for staff, unless a state, saved filter or search is set."""

    title, parameter_name = "state", "state"
    unset = "Waiting for staff"
    options = [
        ("open", "Open"),
        *((value, label) for value, label in Status.choices if value != Status.DRAFT),
        ("all", "All"),
    ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "open":
            return queryset.filter(status__in=OPEN_STATES)
        if value in Status.values:
            return queryset.filter(status=value)
        if value == "all" or request.GET.get("desk") or request.GET.get("q"):
            return queryset
        return queryset.filter(status__in=WAITING_STATES)


class TierFilter(MenuFilter):
    """The tiers whose applications the user may read."""

    title, parameter_name, field = "tier", "tier", "tier__slug"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        readable = Application.objects.readable_by(signed_in(request))
        # EXISTS stops at the first application of each tier; IN would read all of them.
        tiers = Tier.objects.filter(Exists(readable.order_by().filter(tier=OuterRef("pk"))))
        return list(tiers.values_list("slug", "name"))


class AgeFilter(MenuFilter):
    """Working days since the first submission."""

    title, parameter_name = "age", "age"
    options = (
        *(("0-1", "Up to 1 day"), ("2-4", "2 to 4 days"), ("5-9", "5 to 9 days")),
        ("10", "10 days and more"),
    )
    #: value -> (minimum, exclusive maximum) in working days
    BOUNDS = {"0-1": (0, 2), "2-4": (2, 5), "5-9": (5, 10), "10": (10, None)}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        minimum, maximum = self.BOUNDS.get(self.value() or "", (0, None))
        today = working_days.utc_date(timezone.now())
        if minimum:
            newest = working_days.add(today, -minimum)
            queryset = queryset.filter(submitted_at__date__lte=newest)
        if maximum:
            before = working_days.add(today, -maximum)
            queryset = queryset.filter(submitted_at__date__gt=before)
        return queryset


class OverdueFilter(MenuFilter):
    title, parameter_name = "due", "due"
    options = (("overdue", "Overdue"), ("intime", "In time"))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        overdue = queue.desk_condition(Desk.OVERDUE, signed_in(request))
        if self.value() == "overdue":
            return queryset.filter(overdue)
        return queryset.exclude(overdue) if self.value() == "intime" else queryset


class ClaimerFilter(MenuFilter):
    title, parameter_name = "claimer", "claimer"
    options = (("me", "Me"), ("nobody", "Nobody"), ("others", "Others"))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        me = signed_in(request)
        conditions = {
            "me": Q(status=Status.IN_REVIEW, claimed_by=me),
            "nobody": ~Q(status=Status.IN_REVIEW),
            "others": Q(status=Status.IN_REVIEW) & ~Q(claimed_by=me),
        }
        return queryset.filter(conditions.get(str(self.value()), Q()))


class FlagFilter(MenuFilter):
    title, parameter_name = "flag", "flag"
    options = [(value, str(label).capitalize()) for value, label in Flag.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet:
        return queue.with_flag(queryset, str(self.value())) if self.value() else queryset


class KindFilter(MenuFilter):
    title, parameter_name, field = "kind", "kind", "kind"
    options = Application.Kind.choices


FILTERS: list[Any] = [
    *(DeskFilter, StateFilter, TierFilter, AgeFilter, OverdueFilter, ClaimerFilter),
    *(FlagFilter, KindFilter),
]


def search(queryset: "ApplicationQuerySet", query: str) -> QuerySet:
    """Return applications with each word in reference, title, name, organisation or address."""
    for word in query.split():
        queryset = queryset.filter(_contains(word))
    return queryset


def _contains(word: str) -> Q:
    answers = Q()
    for key in _SEARCHED:
        answers |= Q(**{f"answers__{key}__icontains": word})
    condition = (
        Q(applicant__username__icontains=word)
        | Q(applicant__email__icontains=word)
        | Q(pk__in=ApplicationSnapshot.objects.filter(answers).values("application"))
    )
    if reference := _REFERENCE.fullmatch(word):
        condition |= Q(pk=int(reference[1]))
    return condition


class Queue(ChangeList):
    """The list, with the saved filters and menus above it."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet:
        self.user = signed_in(request)
        return super().get_queryset(request, *args, **kwargs)

    def get_results(self, request: HttpRequest) -> None:
        """Join people and flags only to the rows of the page.

        Otherwise PostgreSQL would join them to every waiting application before sorting, and with
        more than eight tables (`join_collapse_limit`) to every application.
        """
        super().get_results(request)
        listed = self.root_queryset.filter(pk__in=self.result_list.values("pk"))
        listed = listed.order_by(*self.queryset.query.order_by)
        self.result_list = listed.select_related(None).select_related(*_JOINED)

    @cached_property
    def desks(self) -> list[dict[str, Any]]:
        """The saved filters as links with counts."""
        readable: Any = self.root_queryset
        counts = queue.desk_counts(readable.order_by(), self.user)
        chosen = self.params.get("desk")
        everything = {"label": "Queue", "query": "?", "count": None, "chosen": not chosen}
        return [
            everything,
            *(
                {
                    "label": label,
                    "query": f"?desk={desk}",
                    "count": counts[desk],
                    "chosen": desk == chosen,
                }
                for desk, label in Desk.choices
            ),
        ]

    @property
    def menus(self) -> list[dict[str, Any]]:
        """The filters shown as menus."""
        specs: list[Any] = [one for one in self.filter_specs if not isinstance(one, DeskFilter)]
        return [
            {
                "name": one.parameter_name,
                "label": one.title.capitalize(),
                "choices": [("", getattr(one, "unset", "Any")), *one.lookup_choices],
                "value": one.value() or "",
            }
            for one in specs
        ]

    @property
    def active_filters(self) -> dict[str, str]:
        """The active filters by parameter, without the search text, which may name a person."""
        specs: list[Any] = self.filter_specs
        filters = {one.parameter_name: str(one.value()) for one in specs if one.value()}
        return filters | ({"q": "searched"} if self.query else {})

    @property
    def export_query(self) -> str:
        """The query string of the export, with the current filters."""
        return self.get_query_string(remove=["p", "o"])


class Columns(admin.ModelAdmin):
    """The columns of the list."""

    @admin.display(description="Reference", ordering="pk")
    def reference(self, application: Any) -> str:
        return str(application.reference)

    @admin.display(description="Project")
    def project(self, application: Any) -> str:
        return str(_answer(application, "title") or "–")

    @admin.display(description="Applicant", ordering="applicant__username")
    def person(self, application: Any) -> str:
        return str(_answer(application, "full_name") or application.applicant.display_name)

    @admin.display(description="Organisation")
    def organisation(self, application: Any) -> str:
        return Truncator(str(_answer(application, "org_name") or "–")).chars(ORGANISATION_LENGTH)

    @admin.display(description="State", ordering="status")
    def state(self, application: Any) -> str:
        return format_html(
            '<span class="state state-{}">{}</span>',
            application.status,
            application.get_status_display(),
        )

    @admin.display(description="Age", ordering="submitted_at")
    def age(self, application: Any) -> str:
        days = queue.age_in_days(application)
        return "–" if days is None else f"{days} day{'' if days == 1 else 's'}"

    @admin.display(description="Due", ordering="due_on")
    def due(self, application: Any) -> str:
        if application.due_on is None or not application.is_waiting:
            return NONE
        day = f"{application.due_on.day} {application.due_on:%b}"
        late = working_days.between(application.due_on, working_days.utc_date(timezone.now()))
        if late <= 0:
            return day
        return format_html('{} <span class="late">{} late</span>', day, late)

    @admin.display(description="Claimer", ordering="claimed_by__username")
    def claimer(self, application: Any) -> str:
        """The current reviewer, or the previous one of a resubmission."""
        if application.claimed_by is None:
            return NONE
        name = str(application.claimed_by.display_name)
        return name if application.status != Status.SUBMITTED else f"last with {name}"

    @admin.display(description="Flags")
    def flags(self, application: Any) -> str:
        flags = [(flag.value, flag.label) for flag in queue.flags_of(application)]
        return format_html_join(" ", '<span class="flag flag-{}">{}</span>', flags) or NONE


def _answer(application: Any, key: str) -> Any:
    return (application.sent or {}).get(key)
