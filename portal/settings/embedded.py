"""The embedded install, the default: SQLite, local files and a broker under `DATA_DIR`.

`make run` starts it, and every `manage.py` command uses it. The environment overrides each value,
for example to use PostgreSQL, Redis and S3.
"""

from portal.settings import data_dir, environment, private_files, validation

private_files.set_umask()

DATA_DIR = environment.folder("DATA_DIR", data_dir.default())
data_dir.prepare(DATA_DIR)

from portal.settings.base import *  # noqa: E402, F403
from portal.settings.base import (  # noqa: E402
    AUDIT_KEY_FILE,
    MANIFEST_KEY_FILE,
    PUBLIC_URL,
    SITE_NAME,
    caches,
    database,
)

ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS") or data_dir.hosts(PUBLIC_URL)
DATABASES = {"default": database(f"sqlite:///{DATA_DIR}/db.sqlite3")}
WEIGHTS_STORAGE = environment.storage("WEIGHTS_STORAGE", f"file://{DATA_DIR}/blobs")
STATIC_ROOT = DATA_DIR / "static"
if not MANIFEST_KEY_FILE:
    MANIFEST_KEY_FILE = environment.manifest_key(
        "MANIFEST_KEY_FILE", str(data_dir.manifest_key_file(DATA_DIR))
    )
if not AUDIT_KEY_FILE:
    AUDIT_KEY_FILE = environment.audit_key("AUDIT_KEY_FILE", str(data_dir.audit_key_file(DATA_DIR)))

# `make demo` fills an install with invented people, and every title, mail and feed says so.
INVENTED_DATA = data_dir.invented_mark(DATA_DIR).exists()
if INVENTED_DATA:
    SITE_NAME = f"{SITE_NAME} (invented data)"

# The embedded broker, unless the environment names one. The cache is another database of the same
# server, whose socket only this user may open.
EMBEDDED_BROKER = not environment.text("BROKER_URL", "")
# All three, since Celery's command line would otherwise use BROKER_URL without the password.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = CELERY_BROKER_URL = environment.redis(
    "BROKER_URL", data_dir.broker_url(DATA_DIR), "BROKER_PASSWORD"
)
CACHES = caches(
    environment.redis("CACHE_URL", data_dir.cache_beside(CELERY_BROKER_URL), "CACHE_PASSWORD")
)

validation.refuse(globals(), production=False)
