"""The audit trail and the outbox."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.readonly import ReadOnlyAdmin
from accounts.background import queue_after_commit
from accounts.models import AuditEvent, OutgoingMail


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "action", "actor", "object_kind", "object_id", "result"]
    list_filter = ["action", "result"]
    search_fields = ["actor_name", "object_id", "request_id"]
    date_hierarchy = "at"
    show_full_result_count = False

    @admin.display(ordering="actor_name")
    def actor(self, event: AuditEvent) -> str:
        return event.actor_name


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """Every message, with its text: without a mail server this is where it is read."""

    list_display = ["created_at", "kind", "to", "subject", "state", "attempts", "last_error"]
    list_filter = ["state", "kind"]
    search_fields = ["to", "subject"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    exclude = ["html", "secret"]
    actions = ["send_again"]

    def has_change_permission(self, request: HttpRequest, obj: OutgoingMail | None = None) -> bool:
        return False

    @admin.action(description="Queue for delivery again", permissions=["view"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutgoingMail]) -> None:
        """Only what failed or was kept here: a message that left is not sent twice."""
        again = queryset.filter(state__in=[OutgoingMail.State.FAILED, OutgoingMail.State.KEPT])
        ids = list(again.values_list("pk", flat=True))
        again.update(state=OutgoingMail.State.QUEUED, attempts=0, next_attempt_at=timezone.now())
        for mail_id in ids:
            queue_after_commit("accounts.deliver_mail", mail_id)
        self.message_user(request, f"{len(ids)} queued for delivery", messages.SUCCESS)
