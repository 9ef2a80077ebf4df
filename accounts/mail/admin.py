"""The outbox in the admin."""

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.background.queueing import queue_after_commit
from accounts.background.task_names import AccountsTask
from accounts.mail.models import OutgoingMail
from accounts.roles.account_scope import may_administer
from accounts.roles.tier_scoped_admin import AllTiersAdmin
from accounts.users.models import User
from accounts.web.current_user import signed_in


@admin.register(OutgoingMail)
class OutgoingMailAdmin(AllTiersAdmin, ReadOnlyAdmin):
    """Shows every message with its text: without a mail server, staff read messages here.

    Live links and codes are hidden if the message is delivered by mail, or if they open an
    account that the user may not change.
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
        show_secret = obj is not None and _may_read_secret(signed_in(request), obj)
        return ["full_text" if show_secret else "text_without_secret"]

    @admin.display(description="Text")
    def full_text(self, mail: OutgoingMail) -> str:
        return mail.full_text

    @admin.display(description="Text")
    def text_without_secret(self, mail: OutgoingMail) -> str:
        return mail.text_without_secret

    @admin.action(description="Queue for delivery again", permissions=["view"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutgoingMail]) -> None:
        """Queue failed and undelivered messages; sent ones are skipped."""
        states = [OutgoingMail.State.FAILED, OutgoingMail.State.KEPT]
        mails = queryset.filter(state__in=states).exclude(to="")  # of an erased account
        ids = list(mails.values_list("pk", flat=True))
        mails.update(state=OutgoingMail.State.QUEUED, attempts=0, next_attempt_at=timezone.now())
        for mail_id in ids:
            queue_after_commit(AccountsTask.DELIVER_MAIL, mail_id)
        self.message_user(request, f"{len(ids)} queued for delivery", messages.SUCCESS)


def _may_read_secret(user: User, mail: OutgoingMail) -> bool:
    """True if there is no mail server and `user` may change the recipient's account.

    False for mails to staff where acts need two people, because a password reset by mail counts as
    the holder's own (accounts/change_requests/password_set_by_staff.py).
    """
    if mail.state != OutgoingMail.State.KEPT or mail.recipient is None:
        return False
    if mail.recipient.is_staff and not settings.SINGLE_OPERATOR:
        return False
    return may_administer(user, mail.recipient)
