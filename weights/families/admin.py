"""Admin pages of families."""

from collections.abc import Sequence
from json import JSONDecodeError, JSONEncoder
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Field, Q, QuerySet
from django.forms import Field as FormField
from django.forms import JSONField, ModelForm
from django.http import HttpRequest, HttpResponse

from accounts.admin_pages.readonly import NeverDeleted
from accounts.admin_pages.reason_to_open import OpeningAdmin
from accounts.admin_pages.record_actions import RecordAction, act
from accounts.roles.tier_scoped_admin import TierFilteredAdmin
from accounts.web.current_user import signed_in
from weights.catalogue.models import Checkpoint, Family
from weights.families import services


class RetireFamilyForm(RecordAction):
    run = staticmethod(services.retire)
    name, title, button, done = "retire", "Retire families", "Retire", "retired"
    warning = "A retired family takes no new checkpoints. Those in it stay."


class UnretireFamilyForm(RecordAction):
    run = staticmethod(services.unretire)
    name, title, button, done = "unretire", "Put families back into use", "Put back", "back in use"
    warning = "The family takes checkpoints again."


_FACTS_HELP = (
    "JSON with footprint, openness, limitations and paper.bibtex_fields, shown under Footprint and "
    "Openness. Each figure must name its source; an error names the place where one is missing."
)


class _FactsField(JSONField):
    """Names the line of a syntax error."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError as error:
            if isinstance(fault := error.__context__, JSONDecodeError):
                place = f"line {fault.lineno}, column {fault.colno}"
                raise ValidationError(f"Invalid JSON at {place}: {fault.msg}.") from error
            raise


class _IndentedEncoder(JSONEncoder):
    """Shows the facts indented, one value per line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 1})

    def encode(self, o: Any) -> str:
        """Escapes lone surrogates, which a page cannot contain."""
        return super().encode(o).encode(errors="backslashreplace").decode()


@admin.register(Family)
class FamilyAdmin(OpeningAdmin, NeverDeleted, TierFilteredAdmin):
    """Families with a checkpoint in the user's tiers, and those without any."""

    list_display = ["name", "slug", "position", "developer", "retired_at"]
    fields = ["name", "slug", "long_name", "developer", "position", "facts", "retired_at"]
    actions = ["retire", "unretire"]

    def get_readonly_fields(self, request: HttpRequest, obj: Family | None = None) -> list[str]:
        return ["slug", "retired_at"] if obj else ["retired_at"]

    def formfield_for_dbfield(
        self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        if db_field.name == "facts":
            kwargs |= {"encoder": _IndentedEncoder, "help_text": _FACTS_HELP}
            kwargs["form_class"] = _FactsField
        field: FormField | None = super().formfield_for_dbfield(db_field, request, **kwargs)
        return field

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Family | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ["name"]}

    def has_change_permission(self, request: HttpRequest, obj: Family | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and services.may_edit(obj, signed_in(request))

    def has_retire_permission(self, request: HttpRequest) -> bool:
        return services.may_edit(None, signed_in(request), services.RETIRERS)

    @admin.action(description="Retire", permissions=["retire"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Family]) -> HttpResponse | None:
        return act(self, request, queryset, RetireFamilyForm)

    @admin.action(description="Put back into use", permissions=["retire"])
    def unretire(self, request: HttpRequest, queryset: QuerySet[Family]) -> HttpResponse | None:
        return act(self, request, queryset, UnretireFamilyForm)

    def save_model(self, request: HttpRequest, obj: Family, form: ModelForm, change: bool) -> None:
        services.save_family(obj, by=signed_in(request))

    def of_tiers(self, records: QuerySet[Any], tiers: set[int]) -> QuerySet[Any]:
        used = Checkpoint.objects.filter(tier__in=tiers).values("family")
        return records.filter(Q(pk__in=used) | Q(checkpoints=None))
