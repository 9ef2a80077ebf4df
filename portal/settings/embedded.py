"""The embedded default: one machine, SQLite, local files and a broker under `DATA_DIR`.

`make run` starts it, and every `manage.py` command acts on it. Anything set in the
environment wins, so moving to Postgres, Redis or S3 is a matter of variables alone.
"""

from portal import embedded, env, private_files, weak_settings

private_files.set_umask()

DATA_DIR = env.folder("DATA_DIR", "var")
embedded.prepare(DATA_DIR)

from portal.settings.base import *  # noqa: E402, F403
from portal.settings.base import (  # noqa: E402
    AUDIT_KEY_FILE,
    MANIFEST_KEY_FILE,
    PUBLIC_URL,
    caches,
    database,
)

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or embedded.hosts(PUBLIC_URL)
DATABASES = {"default": database(f"sqlite:///{DATA_DIR}/db.sqlite3")}
WEIGHTS_STORAGE = env.storage("WEIGHTS_STORAGE", f"file://{DATA_DIR}/blobs")
STATIC_ROOT = DATA_DIR / "static"
if not MANIFEST_KEY_FILE:
    MANIFEST_KEY_FILE = env.manifest_key(
        "MANIFEST_KEY_FILE", str(embedded.manifest_key_file(DATA_DIR))
    )
if not AUDIT_KEY_FILE:
    AUDIT_KEY_FILE = env.audit_key("AUDIT_KEY_FILE", str(embedded.audit_key_file(DATA_DIR)))

# A broker of its own, unless the environment names one. The cache is another database of the
# same server, whose socket this user alone may open.
EMBEDDED_BROKER = not env.text("BROKER_URL", "")
# Named for both directions, or Celery's command line takes the variable, without its password.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = CELERY_BROKER_URL = env.redis(
    "BROKER_URL", embedded.broker_url(DATA_DIR), "BROKER_PASSWORD"
)
CACHES = caches(env.redis("CACHE_URL", embedded.cache_beside(CELERY_BROKER_URL), "CACHE_PASSWORD"))

weak_settings.refuse(globals(), production=False)
