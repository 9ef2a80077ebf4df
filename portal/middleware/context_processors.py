"""Variables of every template."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.users import passkeys
from accounts.web.current_user import user_or_none
from weights.my_access import attention
from weights.owner_pages.lookup import is_release_owner


def site(request: HttpRequest) -> dict[str, object]:
    return {
        "SITE_NAME": settings.SITE_NAME,
        "PUBLIC_URL": settings.PUBLIC_URL,
        "INVENTED_DATA": getattr(settings, "INVENTED_DATA", False),
        "READ_ONLY": settings.READ_ONLY,
        "MAIL_LEAVES": settings.MAIL_LEAVES,
        "SOCIAL_SIGN_IN": bool(settings.SOCIAL_ORIGINS),
        "PASSKEYS_ELSEWHERE": passkeys.passkey_origin(request),
        "ATTENTION": SimpleLazyObject(lambda: _attention(request)),
        "RELEASE_OWNER": SimpleLazyObject(lambda: _is_release_owner(request)),
    }


def _is_release_owner(request: HttpRequest) -> bool:
    user = user_or_none(request)
    return user is not None and user.is_staff and is_release_owner(user)


def _attention(request: HttpRequest) -> int:
    user = user_or_none(request)
    return attention.count_for(user) if user else 0
