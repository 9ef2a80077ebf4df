"""allauth's account adapter: sign-in limits, and mails through our outbox."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.mail import outbox
from accounts.users import recent_authentication, throttling
from accounts.users.models import User
from accounts.web.error_pages import error_page


class AccountAdapter(DefaultAccountAdapter):
    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Respond to too many failed sign-ins with 429 and Retry-After, not with a form and 200."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            key = self._get_login_attempts_cache_key(request, **credentials)
            wait = throttling.seconds_until_allowed(request, "login_failed", key)
            raise ImmediateHttpResponse(error_page(request, 429, wait=wait)) from error
        throttling.count_sign_in(request)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Count only failures towards the global limit: otherwise one user could exhaust it."""
        user = super().authenticate(request, **credentials)
        if user is not None:
            throttling.uncount_sign_in()
        return user

    def _rollback_login_failed_rl_usage(self) -> None:
        """Do nothing: a successful sign-in stays counted for its username and network address."""

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Apply our rule to addresses, second factors and sign-in providers.

        allauth asks this for each change of them. Its own rule follows, which would let an account
        pass that has neither a password nor a second factor. Raises RecentAuthenticationRequired.
        """
        if app:
            recent_authentication.require()
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        return required

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Notify a user of a change to their account, at a confirmed address it had before."""
        email = email or next(iter(user.confirmed_addresses()), "")
        super().send_notification_mail(
            template_prefix, user, {**(context or {}), "user": user}, email
        )

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue allauth's message in the outbox, in the transaction of its cause."""
        site = {"name": settings.SITE_NAME, "domain": urlsplit(settings.PUBLIC_URL).netloc}
        context = _with_public_origin(context)
        message = self.render_mail(
            template_prefix,
            email,
            {"current_site": site, "PUBLIC_URL": settings.PUBLIC_URL, **context},
        )
        user = context.get("user")
        mail = outbox.Message(
            kind=template_prefix.rsplit("/", 1)[-1],
            to=email,
            subject=message.subject,
            text=str(message.body),
            recipient=user if user is not None and user.pk else None,
        )
        outbox.enqueue(mail, key=uuid.uuid4().hex, secret=_secret(context))


def _secret(context: dict[str, Any]) -> str:
    """Return the credential in the message: a code, or the URL that contains a key."""
    if "key" not in context:
        return str(context.get("code", ""))
    return str(context.get("password_reset_url") or context.get("activate_url") or context["key"])


def _with_public_origin(context: dict[str, Any]) -> dict[str, Any]:
    """Replace the origin of URLs, which allauth takes from the Host header, by PUBLIC_URL's."""
    origin = urlsplit(settings.PUBLIC_URL)
    return {
        name: urlsplit(value)._replace(scheme=origin.scheme, netloc=origin.netloc).geturl()
        if name.endswith("_url") and isinstance(value, str)
        else value
        for name, value in context.items()
    }
