"""Many machines: Postgres, Redis and a store named by the environment; weak settings refused."""

from django.core.exceptions import ImproperlyConfigured

from portal import env
from portal.settings.base import *  # noqa: F403
from portal.settings.base import BASE_DIR, DEBUG, PUBLIC_URL, SECRET_KEY, database

if DEBUG:
    raise ImproperlyConfigured("DEBUG: must be off in production")
if len(SECRET_KEY) < 50 or "insecure" in SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY: needs 50 random characters or more")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS: name the hosts this portal answers for")

DATABASES = {"default": database("")}
WEIGHTS_STORAGE = env.storage("WEIGHTS_STORAGE", "")
CELERY_BROKER_URL = env.text("BROKER_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.text("CACHE_URL"),
    }
}
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

if PUBLIC_URL.startswith("https://"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
