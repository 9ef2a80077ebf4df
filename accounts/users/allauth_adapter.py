"""allauth's account adapter: sign-in limits, and mails through our outbox."""

import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import get_next_redirect_url
from allauth.core import context as allauth_context
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from accounts.change_requests import password_set_by_staff
from accounts.errors import NotAllowed
from accounts.mail import outbox
from accounts.users import recent_authentication, throttling
from accounts.users.models import User
from accounts.web.current_user import signed_in
from accounts.web.error_pages import error_page


class AccountAdapter(DefaultAccountAdapter):
    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Respond to too many failed sign-ins with 429 and Retry-After instead of a 200 form."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            key = self._get_login_attempts_cache_key(request, **credentials)
            wait = throttling.seconds_until_allowed(request, "login_failed", key)
            raise ImmediateHttpResponse(error_page(request, 429, wait=wait)) from error
        name = credentials.get("username") or credentials.get("email") or ""
        throttling.count_sign_in(request, name)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Count only failures towards the global limit, or one user could exhaust it."""
        user = super().authenticate(request, **credentials)
        if user is not None:
            throttling.uncount_sign_in()
        return user

    def _rollback_login_failed_rl_usage(self) -> None:
        """Do nothing: a successful sign-in stays counted for its username and network address."""

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Apply our rule to addresses, second factors and sign-in providers.

        allauth calls this for each change of them. Its own rule, which follows, would exempt an
        account with neither a password nor a second factor. Raises RecentAuthenticationRequired,
        and responds 403 to a user whose password staff have set: staff could keep using what is
        added, even after the user has reset the password.
        """
        if app:
            recent_authentication.require()
            _require_own_password()
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        return required

    def get_email_confirmation_url(self, request: HttpRequest | None, confirmation: Any) -> str:
        """Return the URL in the mail, which then continues to the page that required sign-up.

        The mail is often opened in another browser, so the URL contains the destination.
        """
        url: str = super().get_email_confirmation_url(request, confirmation)
        return f"{url}{_query(_sign_in_url(request))}"

    def respond_email_verification_sent(
        self, request: HttpRequest, user: User | None
    ) -> HttpResponseRedirect:
        page = reverse("account_email_verification_sent")
        return HttpResponseRedirect(f"{page}{_query(_destination(request))}")

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Notify a user of a change to their account, by default at a confirmed address."""
        email = email or next(iter(user.confirmed_addresses()), "")
        super().send_notification_mail(
            template_prefix, user, {**(context or {}), "user": user}, email
        )

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue allauth's message in the outbox, in the transaction that causes it."""
        site = {"name": settings.SITE_NAME, "domain": urlsplit(settings.PUBLIC_URL).netloc}
        context = _with_public_origin(context)
        message = self.render_mail(
            template_prefix,
            email,
            {
                "current_site": site,
                "PUBLIC_URL": settings.PUBLIC_URL,
                "email": email,
                **context,
            },
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


def _require_own_password() -> None:
    request = allauth_context.request
    try:
        password_set_by_staff.require(signed_in(request))
    except NotAllowed as error:
        page = error_page(request, 403, code=error.code, message=f"{error}.".capitalize())
        raise ImmediateHttpResponse(page) from error


def _destination(request: HttpRequest | None) -> str:
    """Return the request's `next` if it is a page of this portal; empty otherwise."""
    return (get_next_redirect_url(request) or "") if request else ""


def _sign_in_url(request: HttpRequest | None) -> str:
    """Return the sign-in URL that continues to the request's `next`; empty without one."""
    destination = _destination(request)
    return f"{reverse('account_login')}{_query(destination)}" if destination else ""


def _query(destination: str) -> str:
    return f"?{urlencode({REDIRECT_FIELD_NAME: destination})}" if destination else ""


def _secret(context: dict[str, Any]) -> str:
    """Return the credential in the message: a code, or a URL that contains a key."""
    if "key" not in context:
        return str(context.get("code", ""))
    return str(context.get("password_reset_url") or context.get("activate_url") or context["key"])


def _with_public_origin(context: dict[str, Any]) -> dict[str, Any]:
    """Replace the origin of URLs, which allauth takes from the Host header, with PUBLIC_URL's."""
    origin = urlsplit(settings.PUBLIC_URL)
    return {
        name: urlsplit(value)._replace(scheme=origin.scheme, netloc=origin.netloc).geturl()
        if name.endswith("_url") and isinstance(value, str)
        else value
        for name, value in context.items()
    }
