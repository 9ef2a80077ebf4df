"""Accounts and their staff roles."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminEmailInputWidget
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.admin_pages.readonly import NeverDeleted, ReadOnlyAdmin
from accounts.admin_pages.reason_to_open import OpeningAdmin, ReasonToOpen, announce_waiting
from accounts.admin_pages.record_actions import RecordAction, act
from accounts.admin_pages.related_records import related_records
from accounts.change_requests.models import ChangeRequest
from accounts.errors import NotAllowed
from accounts.grants.models import Grant
from accounts.mail import addresses
from accounts.privacy import erasure
from accounts.privacy.models import HolderRecord
from accounts.roles.account_scope import may_administer, visible_accounts
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.roles.services import give_role
from accounts.roles.tier_scoped_admin import (
    TierFilteredAdmin,
    TierScopedAdmin,
    has_permission_for,
)
from accounts.tiers.models import Tier
from accounts.users import recent_authentication, services, usernames
from accounts.users.models import User
from accounts.web.current_user import signed_in
from accounts.web.row_ids import is_row_id

# accounts/roles/permissions.py defines the groups; every migrate would undo an edit here.
admin.site.unregister(Group)
# These records contain secrets, or personal data from other sites, which no page may show.
for _model in (Authenticator, SocialApp, SocialToken, SocialAccount):
    admin.site.unregister(_model)
# allauth's page would let staff confirm somebody else's address; AccountAdmin lists addresses.
admin.site.unregister(EmailAddress)


class AccountCreationForm(AdminUserCreationForm):
    """Applies the rule for usernames; Django's own validator allows addresses."""

    email = forms.EmailField(
        label="Email address",
        max_length=User._meta.get_field("email").max_length,
        widget=AdminEmailInputWidget,
        help_text="Its holder confirms it at the first sign-in. Only the holder can change it.",
    )

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"]
        if addresses.is_confirmed(address):
            raise ValidationError("Another account has confirmed this address.")
        return address

    def clean_username(self) -> Any:
        """Return the username; None if it is taken, which is already an error."""
        username = super().clean_username()
        if username is not None:
            usernames.validate_username(username)
        return username


class AccountChangeForm(UserChangeForm):
    def clean_username(self) -> str:
        """Validate only a changed username; accounts older than the rule keep theirs."""
        username: str = self.cleaned_data["username"]
        if "username" in self.changed_data:
            usernames.validate_username(username)
        return username


class EraseForm(RecordAction):
    name, title, button, done = "erase", "Erase people", "Erase", "erased"
    warning = (
        "Erasing cannot be undone. It ends their applications, access, tokens and links, and "
        "deletes what they wrote. The audit trail keeps their random number. The names of people "
        "who held weights are kept separately for six years."
    )

    @staticmethod
    def run(person: User, *, by: User) -> None:
        if not may_administer(by, person):
            raise NotAllowed("this account has rights beyond your own tiers")
        erasure.erase(person, by=by)


@admin.register(User)
class AccountAdmin(NeverDeleted, UserAdmin):
    """Requires a recent authentication to open the form too, not only to save it.

    A form that contains a password is not stored while the user re-authenticates.
    """

    change_form_template = "admin/accounts/user/change_form.html"
    list_display = ["username", "email", "is_staff", "is_active", "suspended_at", "date_joined"]
    list_filter = ["is_staff", "is_active"]
    fieldsets = (
        (None, {"fields": ("username", "password", "public_id")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "all_addresses")}),
        ("Standing", {"fields": ("is_active", "suspended_at", "suspension_reason")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    form, add_form = AccountChangeForm, AccountCreationForm
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    readonly_fields = ("public_id", "all_addresses", "last_login", "date_joined")
    actions = ["erase"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Limit every page, search and autocomplete to accounts of the user's tiers."""
        people: QuerySet[User] = super().get_queryset(request)
        visible = visible_accounts(signed_in(request), "accounts.view_user")
        return people.filter(pk__in=visible.values("pk"))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """True for accounts whose rights are within the user's own; others are read-only."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or may_administer(signed_in(request), obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Make the address of an existing account read-only: only its holder changes it."""
        return (*self.readonly_fields, "email") if obj else self.readonly_fields

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        object_id = args[0] if args else kwargs.get("object_id")
        check = self.has_change_permission if object_id else self.has_add_permission
        if check(request):
            recent_authentication.require()
        return super().changeform_view(request, *args, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if person := context["original"]:
            context["related"] = list(related_records(self.admin_site, request, person))
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Addresses")
    def all_addresses(self, person: User) -> str:
        rows = EmailAddress.objects.filter(user=person).order_by("-primary", "email")
        lines = [
            f"{row.email} ({'confirmed' if row.verified else 'not confirmed'})" for row in rows
        ]
        return "\n".join(lines) or "none"

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.erase_user")

    @admin.action(description="Erase, after a question", permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return act(self, request, queryset, EraseForm)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Notify the user whose password staff set; end tokens and links as after a reset."""
        if self.has_change_permission(request):
            recent_authentication.require()
        before = self.get_object(request, id)
        if not self.has_change_permission(request, before):
            raise PermissionDenied("this account has rights beyond your own tiers")
        response = super().user_change_password(request, id, form_url)
        after = self.get_object(request, id)
        if before and after and before.password != after.password:
            services.record_password_set(after, by=signed_in(request))
            get_adapter(request).send_notification_mail("account/email/password_set", after)
        return response

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        by = signed_in(request)
        if change:
            fields = [name for name in form.changed_data if "password" not in name]
            services.change_account(obj, fields, by=by)
        else:
            services.add_account(obj, form.cleaned_data["email"], by=by)


_OWN_TIERS = "you may assign roles for your own tiers only"


class RoleForm(ReasonToOpen, forms.ModelForm):
    def opening(self) -> str:
        return "" if self.errors or settings.SINGLE_OPERATOR else "This gives a role."


@admin.register(RoleAssignment)
class RoleAssignmentAdmin(OpeningAdmin, TierScopedAdmin):
    form = RoleForm
    person_field = "user"
    fields = ["user", "role", "tier", "opening_reason"]
    list_display = ["user", "role", "tier", "created_at", "assigned_by", "confirmed_by"]
    list_filter = ["role", "tier"]
    list_select_related = ["user", "tier", "assigned_by", "confirmed_by"]
    autocomplete_fields = ["user"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Allow the form; `save_model` checks the tier, which only the POST data has."""
        return bool(request.user.has_perm("accounts.add_roleassignment"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse other tiers with 403 before the form, which offers only the user's own."""
        posted = request.POST.get("tier", "")
        if request.method == "POST" and is_row_id(posted):
            tier = Tier.objects.filter(pk=posted).first()
            if tier and not has_permission_for(
                signed_in(request), "accounts.add_roleassignment", tier
            ):
                raise PermissionDenied(_OWN_TIERS)
        return super().add_view(request, *args, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: RoleAssignment, form: ModelForm, change: bool
    ) -> None:
        if not has_permission_for(signed_in(request), "accounts.add_roleassignment", obj.tier):
            raise PermissionDenied(_OWN_TIERS)
        outcome = give_role(
            obj.user,
            Role(obj.role),
            obj.tier,
            by=signed_in(request),
            reason=form.cleaned_data["opening_reason"],
        )
        if isinstance(outcome, ChangeRequest):
            announce_waiting(request, outcome)
        else:
            obj.pk = outcome.pk

    def log_addition(self, request: HttpRequest, obj: RoleAssignment, message: Any) -> Any:
        """Log nothing for a role that awaits a second person."""
        return super().log_addition(request, obj, message) if obj.pk else None

    def response_add(
        self, request: HttpRequest, obj: RoleAssignment, post_url_continue: Any = None
    ) -> HttpResponse:
        if not obj.pk:
            return redirect("admin:accounts_roleassignment_changelist")
        return super().response_add(request, obj, post_url_continue)

    def delete_model(self, request: HttpRequest, obj: RoleAssignment) -> None:
        obj.withdraw(by=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for assignment in queryset:
            assignment.withdraw(by=signed_in(request))


@admin.register(HolderRecord)
class HolderRecordAdmin(ReadOnlyAdmin, TierFilteredAdmin):
    """Erased people who held weights of the user's tiers."""

    list_display = ["full_name", "organisation", "email", "keep_until"]

    def of_tiers(self, records: QuerySet[Any], tiers: set[int]) -> QuerySet[Any]:
        return records.filter(user__in=Grant.objects.filter(tier__in=tiers).values("user"))
