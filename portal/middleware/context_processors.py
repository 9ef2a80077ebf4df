"""Variables of every template."""

from django.conf import settings
from django.http import HttpRequest

from accounts.users import passkeys


def site(request: HttpRequest) -> dict[str, object]:
    return {
        "SITE_NAME": settings.SITE_NAME,
        "PUBLIC_URL": settings.PUBLIC_URL,
        "MAIL_LEAVES": settings.MAIL_LEAVES,
        "SOCIAL_SIGN_IN": bool(settings.SOCIAL_ORIGINS),
        "PASSKEYS_ELSEWHERE": passkeys.passkey_origin(request),
    }
