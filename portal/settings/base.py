"""Settings of every install. Values come from the environment through `environment.py`."""

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from accounts.web.loopback import is_loopback_url
from portal.settings import environment, installation
from portal.settings.logs import *  # noqa: F403
from portal.settings.social import *  # noqa: F403
from portal.settings.social import SOCIAL_APPS

BASE_DIR, ASSETS = installation.BASE_DIR, installation.ASSETS

environment.read_secrets(
    *("SECRET_KEY_FILE", "LINK_KEYS_FILE", "ENCRYPTION_KEYS_FILE", "DATABASE_PASSWORD_FILE"),
    "AWS_SECRET_ACCESS_KEY_FILE",
    *("BROKER_PASSWORD_FILE", "CACHE_PASSWORD_FILE", "EMAIL_PASSWORD_FILE", "METRICS_TOKEN_FILE"),
)
SECRET_KEY = environment.text("SECRET_KEY")
LINK_KEYS = environment.key_ring("LINK_KEYS")
# Encrypt second factors, links in queued mails and sessions in the database.
ENCRYPTION_KEYS = environment.key_ring("ENCRYPTION_KEYS")
DEBUG = environment.flag("DEBUG", default=False)
PUBLIC_URL = environment.origin("PUBLIC_URL", "http://127.0.0.1:8000")
# True: opening a gate further needs no second person (docs/security.md).
SINGLE_OPERATOR = environment.flag("SINGLE_OPERATOR", default=is_loopback_url(PUBLIC_URL))
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS")
ADMIN_PATH = environment.text("ADMIN_PATH", "admin/").strip("/") + "/"
SITE_NAME = "Weighbridge"
# True: nothing is stored, downloads continue, and workers wait (docs/upgrading.md).
READ_ONLY = environment.flag("READ_ONLY", default=False)
# Contacts for vulnerability reports in /.well-known/security.txt, which is 404 if empty.
SECURITY_CONTACT = environment.contacts("SECURITY_CONTACT")
SECURITY_POLICY_URL = environment.text("SECURITY_POLICY_URL", "-").strip("-")

INSTALLED_APPS = [
    "portal.apps.PortalAdminConfig",
    "portal",  # before auth, whose command changepassword it replaces
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "django_countries",
    "csp",
    "django_structlog",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    *SOCIAL_APPS,
    "allauth.mfa",
    "allauth.usersessions",
    "ninja",
    "accounts",
    "weights",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.request_log.RequestLogMiddleware",
    # Before the middleware that refuses requests, since refusals need these headers too.
    "portal.middleware.content_security_policy.PolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "weights.api.problems.ProblemMiddleware",
    "portal.middleware.request_filter.RequestFilterMiddleware",
    "portal.middleware.read_only.ReadOnlyMiddleware",
    "portal.middleware.rate_limits.RateLimitMiddleware",
    # Middleware for every response comes before it, middleware for pages after it.
    "portal.middleware.fast_path.FastPathMiddleware",
    "portal.middleware.signed_sessions.SignedSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.middleware.reauthentication.ReauthenticationMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]

# Turned off only if a proxy in front limits rates, or for benchmarks.
if not environment.flag("RATE_LIMITS", default=True):
    MIDDLEWARE.remove("portal.middleware.rate_limits.RateLimitMiddleware")
# `/metrics` does not exist unless one of them is set (docs/monitoring.md).
METRICS_TOKEN = environment.text("METRICS_TOKEN", "-").strip("-")
METRICS_ADDRESS = environment.address("METRICS_ADDRESS")
if METRICS_TOKEN or METRICS_ADDRESS:
    MIDDLEWARE.insert(0, "portal.metrics.requests.MetricsMiddleware")
# The number of proxies in front whose X-Forwarded-For is trusted.
TRUSTED_PROXIES = environment.whole("TRUSTED_PROXIES", 0, at_most=5)
if TRUSTED_PROXIES:
    MIDDLEWARE.insert(0, "portal.middleware.forwarded_address.ForwardedAddressMiddleware")

from portal.settings.workflow import *  # noqa: E402, F403

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ASSETS / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.middleware.context_processors.site",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# -- people ---------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
# Only one, since each backend would hash the password of an unknown name.
AUTHENTICATION_BACKENDS = ["accounts.users.authentication_backend.SignInBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "weights:access"
ACCOUNT_ADAPTER = "accounts.users.allauth_adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_USERNAME_VALIDATORS = "accounts.users.usernames.VALIDATORS"
ACCOUNT_USERNAME_BLACKLIST = ["admin", "root", "staff", "weighbridge"]
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Notify the owner of a changed password, address or factor, in case somebody else changed it.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = PUBLIC_URL.split(":", 1)[0]
# Per name and per address; sign-ins that succeed count too (accounts/users/allauth_adapter.py).
# Limits for all people together: accounts/rate_limits/buckets.py.
ACCOUNT_RATE_LIMITS = {
    "login": "",
    "login_failed": "10/5m/key,10/5m/ip",
    "signup": "5/h/ip",
    "reset_password": "5/d/key,20/d/ip",
    "confirm_email": "3/6h/key",
    "reauthenticate": "10/5m/user",
}
ACCOUNT_FORMS = {
    "login": "accounts.users.forms.LoginForm",
    "signup": "accounts.users.forms.SignupForm",
    "change_password": "accounts.users.forms.ChangePasswordForm",
    "set_password": "accounts.users.forms.SetPasswordForm",
    "reset_password": "accounts.users.forms.ResetPasswordForm",
}
#: Seconds after a sign-in during which allauth does not ask for a password, passkey or code again
#: (accounts/users/reauthentication.py has the same for the admin).
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
MFA_TOTP_ISSUER = SITE_NAME
MFA_ADAPTER = "accounts.users.passkeys.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "authenticate": "accounts.users.throttling.CountedAuthenticateForm",
    "reauthenticate": "accounts.users.throttling.CountedReauthenticateForm",
    "activate_totp": "accounts.users.throttling.CountedActivateForm",
    "add_webauthn": "accounts.users.passkeys.PasskeyAddForm",
    "login_webauthn": "accounts.users.passkeys.PasskeyLoginForm",
    "authenticate_webauthn": "accounts.users.passkeys.PasskeyAuthenticateForm",
    "reauthenticate_webauthn": "accounts.users.passkeys.PasskeyReauthenticateForm",
}
USERSESSIONS_TRACK_ACTIVITY = False

# -- pages ------------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = ["portal.formats"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [ASSETS / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "portal.server.stylesheets.CompressedStorage"},
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# Probes come from inside over http, and may count a redirect as a success or a failure.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SESSION_SERIALIZER = "accounts.encryption.session_serializer.SessionSerializer"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"
# Browsers do not send Secure cookies over plain http, which only loopback may use.
if PUBLIC_URL.startswith("https://"):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    # An hour at first, because browsers refuse http for this time.
    SECURE_HSTS_SECONDS = environment.whole("HSTS_SECONDS", 3600, at_most=2 * 365 * 24 * 3600)
    # Both affect other hosts too, so they are off by default.
    SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.flag("HSTS_SUBDOMAINS", default=False)
    SECURE_HSTS_PRELOAD = environment.flag("HSTS_PRELOAD", default=False)
    # Only a trusted proxy may report the scheme of a request.
    if TRUSTED_PROXIES:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
MESSAGE_STORAGE = "portal.middleware.message_storage.MessageStorage"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# Forms refuse files unless their view enables them (accounts/web/uploads.py).
FILE_UPLOAD_HANDLERS = ["accounts.web.uploads.NoFilesHandler"]

# -- delivery ---------------------------------------------------------------------------

WEIGHTS_STORAGE = ""  # each install sets it
# A hard ceiling in seconds; a tier may set less (docs/requirements.md, UR-1).
FILE_LINK_LIFETIME_MOST = environment.seconds("FILE_LINK_LIFETIME_MOST", 3600, at_most=3600)
# Concurrent downloads of one web process; further ones get 429 with Retry-After. Each holds a
# thread, so an eighth of the threads stays free for pages.
WEB_THREADS = environment.whole("WEB_THREADS", 128, at_least=4, at_most=1024)
DOWNLOADS_AT_ONCE = environment.whole(
    "DOWNLOADS_AT_ONCE", WEB_THREADS * 3 // 4, at_least=1, at_most=WEB_THREADS * 7 // 8
)
# The internal location of nginx that maps to the blob folder; empty: the app sends the bytes.
ACCEL_LOCATION = environment.text("ACCEL_LOCATION", "-").strip("-")
# Credentials from files; boto3 reads those of the environment itself.
S3_SESSION = environment.aws()
S3_ENDPOINT_URL = environment.text("S3_ENDPOINT_URL", "-").strip("-") or None
S3_PUBLIC_ENDPOINT_URL = (
    environment.text("S3_PUBLIC_ENDPOINT_URL", "-").strip("-") or S3_ENDPOINT_URL
)
# The checksum of each part of an upload; `none` for stores that refuse checksums.
S3_CHECKSUMS = environment.choice("S3_CHECKSUMS", ("sha256", "crc32", "none"))
# A CDN in front of the bucket, whose signed URLs replace presigned URLs of the bucket.
CDN_URL, CDN_KEY_ID, CDN_KEY_FILE = environment.cdn("CDN_URL", "CDN_KEY_ID", "CDN_KEY_FILE")

# Bytes that one person's uploads and drafts may take.
UPLOAD_QUOTA = environment.whole("UPLOAD_QUOTA_GB", 2000, at_least=1, at_most=1_000_000) * 10**9

# The scrub reads every stored byte again within SCRUB_DAYS, with SCRUB_AT_ONCE readers that share
# the rate. The survey lists the store every SURVEY_HOURS.
SCRUB_DAYS = environment.whole("SCRUB_DAYS", 30, at_least=1, at_most=365)
SCRUB_BYTES_PER_SECOND = environment.whole("SCRUB_BYTES_PER_SECOND", 50_000_000, at_least=1_000_000)
SCRUB_AT_ONCE = environment.whole("SCRUB_AT_ONCE", 1, at_least=1, at_most=16)
SURVEY_HOURS = environment.whole("SURVEY_HOURS", 1, at_least=1, at_most=24)
# Names that pickles may import in addition to those in weights/inspection/formats/allowed.py.
PICKLE_IMPORTS = environment.imports("PICKLE_IMPORTS")

# Signs manifests; empty in processes that do not sign.
MANIFEST_KEY_FILE = environment.manifest_key("MANIFEST_KEY_FILE")

# -- audit trail ------------------------------------------------------------------------

# Signs the head of the trail; empty in processes that do not sign.
AUDIT_KEY_FILE = environment.audit_key("AUDIT_KEY_FILE")
# Copies of each signed head: mailed to these recipients, and appended to a file or a bucket.
AUDIT_HEAD_RECIPIENTS = environment.addresses("AUDIT_HEAD_RECIPIENTS")
AUDIT_HEAD_COPY = environment.head_copy("AUDIT_HEAD_COPY")

# -- mail -------------------------------------------------------------------------------

# Without EMAIL_URL no mail is sent: messages stay in the outbox for an administrator to read.
MAIL_LEAVES = bool(environment.text("EMAIL_URL", "-").strip("-"))
if MAIL_LEAVES:
    _mail = environment.email("EMAIL_URL", "EMAIL_PASSWORD")
    EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
    EMAIL_HOST = _mail.get("EMAIL_HOST") or ""
    EMAIL_PORT = _mail.get("EMAIL_PORT") or 25
    EMAIL_HOST_USER = _mail.get("EMAIL_HOST_USER") or ""
    EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_PASSWORD") or ""
    EMAIL_USE_TLS = bool(_mail.get("EMAIL_USE_TLS"))
    EMAIL_USE_SSL = bool(_mail.get("EMAIL_USE_SSL"))
    EMAIL_FILE_PATH = _mail.get("EMAIL_FILE_PATH") or ""
    EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = environment.text("MAIL_FROM", "Weighbridge <weighbridge@localhost>")

# -- background work --------------------------------------------------------------------

CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_EVENT_SERIALIZER = "json"
# For tasks, results, events and remote control.
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
# Without results, beat schedules no clean-up, which the consumer would refuse.
CELERY_RESULT_EXPIRES = None
CELERY_WORKER_CONSUMER = "portal.server.task_intake:Consumer"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A longer task is delivered twice. A second read of a blob finds it leased and does nothing;
    # all other tasks are far shorter.
    "visibility_timeout": 3600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    # An unavailable broker must not block a web request: the sweep queues the row later. By
    # default a sender retries for six seconds; workers have their own limits.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
# Seconds after which another worker takes over the work of a dead one. Verification renews its
# lease every few seconds; sending a mail does not, so its claim must outlast the slowest mail
# server.
VERIFICATION_LEASE = environment.whole("VERIFICATION_LEASE", 180, at_least=10, at_most=3600)
VERIFICATION_QUEUED = environment.whole("VERIFICATION_QUEUED", 300, at_least=10, at_most=3600)
MAIL_CLAIM = environment.whole("MAIL_CLAIM", 120, at_least=10, at_most=3600)


def sqlite(path: Path) -> dict[str, object]:
    """Settings with which concurrent writers wait for each other instead of failing."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        # Opening a connection takes as long as handling a request.
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def database(default: str) -> dict[str, object]:
    """The database of `DATABASE_URL`, with the options of its engine."""
    found = environment.database("DATABASE_URL", default, "DATABASE_PASSWORD")
    if found["ENGINE"].endswith("sqlite3"):
        return sqlite(Path(found["NAME"]))
    # None: the gate's statement is not prepared (weights/gate/statement.py).
    threshold = 5 if environment.flag("DATABASE_PREPARED", default=True) else None
    # Seconds to wait for a new or a free connection before responding with 503.
    wait = environment.seconds("DATABASE_WAIT", 5, at_most=60)
    pool = {"min_size": 2, "max_size": 16, "timeout": wait}
    ours = {"prepare_threshold": threshold, "pool": pool}
    found["OPTIONS"] = {"connect_timeout": wait, **found.get("OPTIONS", {}), **ours}
    return found


def caches(location: str) -> dict[str, dict[str, Any]]:
    """The cache at `location`; its Redis user may access only keys that begin with `cache:`."""
    return {
        "default": {
            "BACKEND": "portal.server.json_cache.JsonCache",
            "LOCATION": location,
            "KEY_PREFIX": "cache",
            # A server that hangs must not hold the threads of pages.
            "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
        }
    }
