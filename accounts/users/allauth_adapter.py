"""Who may sign up and how allauth's messages leave: through our outbox, like every other."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.mail import outbox
from accounts.users import throttling
from accounts.users.models import User
from accounts.web.error_pages import error_page


class AccountAdapter(DefaultAccountAdapter):
    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Answer too many wrong passwords with 429 and Retry-After, not with a form and 200."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            key = self._get_login_attempts_cache_key(request, **credentials)
            wait = throttling.wait_of(request, "login_failed", key)
            raise ImmediateHttpResponse(error_page(request, 429, wait=wait)) from error
        throttling.demand_sign_in(request)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Who signs in takes nothing from what all may try together: else one could shut it."""
        user = super().authenticate(request, **credentials)
        if user is not None:
            throttling.give_sign_in_back()
        return user

    def _rollback_login_failed_rl_usage(self) -> None:
        """A sign-in that succeeds stays counted for its name and its address."""

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell a person what changed at their account, to the address it had before."""
        super().send_notification_mail(
            template_prefix, user, {**(context or {}), "user": user}, email
        )

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Write allauth's message into the outbox in the transaction of its cause."""
        site = {"name": settings.SITE_NAME, "domain": urlsplit(settings.PUBLIC_URL).netloc}
        said = _on_our_origin(context)
        message = self.render_mail(
            template_prefix,
            email,
            {"current_site": site, "PUBLIC_URL": settings.PUBLIC_URL, **said},
        )
        user = context.get("user")
        outbox.enqueue(
            template_prefix.rsplit("/", 1)[-1],
            email,
            uuid.uuid4().hex,
            message.subject,
            str(message.body),
            recipient=user if user is not None and user.pk else None,
            secret=_secret(said),
        )


def _secret(said: dict[str, Any]) -> str:
    """What in the message opens an account: a code, or the address that holds a key."""
    if "key" not in said:
        return str(said.get("code", ""))
    return str(said.get("password_reset_url") or said.get("activate_url") or said["key"])


def _on_our_origin(context: dict[str, Any]) -> dict[str, Any]:
    """Addresses in mails come from the configured origin, never from the request's Host."""
    origin = urlsplit(settings.PUBLIC_URL)
    return {
        name: urlsplit(value)._replace(scheme=origin.scheme, netloc=origin.netloc).geturl()
        if name.endswith("_url") and isinstance(value, str)
        else value
        for name, value in context.items()
    }
