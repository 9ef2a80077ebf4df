"""Settings of the test suite; tests/support/servers/services.py starts the services."""

from typing import Any

from portal.settings import data_dir, environment
from portal.settings.base import *  # noqa: F403
from portal.settings.base import PASSWORD_HASHERS as BASE_HASHERS
from portal.settings.base import PUBLIC_URL, caches, database

ALLOWED_HOSTS = [*data_dir.hosts(PUBLIC_URL), "testserver"]

_database: dict[str, Any] = database("")
# No pool: tests drop their database, and a pool keeps connections to it open.
_database["OPTIONS"].pop("pool", None)
if _database["ENGINE"].endswith("sqlite3"):
    # A file, since server processes that a test starts must see the same database.
    _database["TEST"] = {"NAME": _database["NAME"]}
DATABASES = {"default": _database}

# Tests of the second person set it to False (tests/accounts/change_requests).
SINGLE_OPERATOR = True

# Deliberately unusable: a test that stores bytes requests the fixture `store`.
WEIGHTS_STORAGE = "file:///dev/null/no-store-without-the-fixture"

CELERY_BROKER_URL = environment.text("BROKER_URL")
CACHES = caches(environment.text("CACHE_URL"))

PASSWORD_HASHERS = ["tests.support.hashers.OneRoundHasher", *BASE_HASHERS]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "portal.server.stylesheets.BundledStorage"},
}
WHITENOISE_AUTOREFRESH = True
