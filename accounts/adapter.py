"""Who may sign up and how allauth's messages leave: through our outbox, like every other."""

import uuid
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter

from accounts import outbox


class AccountAdapter(DefaultAccountAdapter):
    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Write allauth's message into the outbox in the transaction of its cause."""
        message = self.render_mail(template_prefix, email, context)
        user = context.get("user")
        outbox.enqueue(
            template_prefix.rsplit("/", 1)[-1],
            email,
            uuid.uuid4().hex,
            message.subject,
            str(message.body),
            recipient=user if user is not None and user.pk else None,
        )
