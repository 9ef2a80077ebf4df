"""The audit trail and the outbox."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.background.task_names import AccountsTask
from accounts.mail.models import OutgoingMail
from accounts.roles.tier_scoped_admin import AllTiersAdmin, may_administer
from accounts.users.models import User
from accounts.web.current_user import signed_in


@admin.register(AuditEvent)
class AuditEventAdmin(AllTiersAdmin, ReadOnlyAdmin):
    """An event names its record and no tier, so the trail is read by those of all tiers."""

    list_display = ["at", "action", "actor", "object_kind", "object_id", "result"]
    list_filter = ["action", "result"]
    search_fields = ["actor_name", "object_id", "request_id"]
    date_hierarchy = "at"
    show_full_result_count = False

    @admin.display(ordering="actor_name")
    def actor(self, event: AuditEvent) -> str:
        return event.actor_name


@admin.register(OutgoingMail)
class OutgoingMailAdmin(AllTiersAdmin, ReadOnlyAdmin):
    """Every message, with its text: without a mail server this is where it is read.

    A live link or code in it is left out where the message goes to its reader by itself, and
    where it opens an account that this administrator may not change.
    """

    list_display = ["created_at", "kind", "to", "subject", "state", "attempts", "last_error"]
    list_filter = ["state", "kind"]
    search_fields = ["to", "subject"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    exclude = ["html", "secret", "text"]
    actions = ["send_again"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: OutgoingMail | None = None
    ) -> list[str]:
        told = obj is not None and _is_for_us_to_tell(obj, signed_in(request))
        return ["full_text" if told else "text_without_secret"]

    @admin.display(description="Text")
    def full_text(self, mail: OutgoingMail) -> str:
        return mail.text

    @admin.display(description="Text")
    def text_without_secret(self, mail: OutgoingMail) -> str:
        return mail.text_without_secret

    @admin.action(description="Queue for delivery again", permissions=["view"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutgoingMail]) -> None:
        """Only what failed or was kept here: a message that left is not sent twice."""
        again = queryset.filter(state__in=[OutgoingMail.State.FAILED, OutgoingMail.State.KEPT])
        ids = list(again.values_list("pk", flat=True))
        again.update(state=OutgoingMail.State.QUEUED, attempts=0, next_attempt_at=timezone.now())
        for mail_id in ids:
            queue_after_commit(AccountsTask.DELIVER_MAIL, mail_id)
        self.message_user(request, f"{len(ids)} queued for delivery", messages.SUCCESS)


def _is_for_us_to_tell(mail: OutgoingMail, by: User) -> bool:
    """Kept here for want of a mail server, to somebody whose account `by` may change."""
    kept = mail.state == OutgoingMail.State.KEPT
    return kept and mail.recipient is not None and may_administer(by, mail.recipient)
