"""Several machines: services named in the environment; refuses weak settings."""

from portal.settings import environment, private_files, validation

private_files.set_umask()

from portal.settings.base import *  # noqa: E402, F403
from portal.settings.base import (  # noqa: E402
    ASSETS,
    PUBLIC_URL,
    caches,
    database,
)

ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS")

DATABASES = {"default": database("")}
WEIGHTS_STORAGE = environment.storage("WEIGHTS_STORAGE", "")
# All three, since Celery's command line would otherwise use BROKER_URL without the password.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = CELERY_BROKER_URL = environment.redis(
    "BROKER_URL", None, "BROKER_PASSWORD"
)
CACHES = caches(environment.redis("CACHE_URL", None, "CACHE_PASSWORD"))
STATIC_ROOT = ASSETS / "staticfiles"

if PUBLIC_URL.startswith("https://"):
    SECURE_SSL_REDIRECT = environment.flag("SECURE_SSL_REDIRECT", default=True)
    # HSTS for subdomains and preload lists is the domain owner's decision (HSTS_SUBDOMAINS).
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
    if not SECURE_SSL_REDIRECT:  # the proxy in front redirects http to https
        SILENCED_SYSTEM_CHECKS.append("security.W008")
else:
    # Loopback only (validation.py): no HSTS, no redirect and no Secure cookies without https.
    SILENCED_SYSTEM_CHECKS = [f"security.W{number}" for number in ("004", "008", "010", "016")]

validation.refuse(globals(), production=True)
