"""Settings of the whole site, read from the environment (`.env.example` lists every variable)."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONE, SELF
from environs import env, validate
from kombu import Queue

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_env(str(BASE_DIR / ".env"))

# --- Who we are -----------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY", validate=validate.Length(min=32))
DEBUG = env.bool("DEBUG", False)
SITE_URL = env.str("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
_site = urlsplit(SITE_URL)
if _site.scheme not in {"http", "https"} or not _site.hostname:
    raise ValueError(f"SITE_URL must be an http(s) address, not {SITE_URL!r}")
DATA_DIR = Path(env.str("CLIME_DATA_DIR", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

# --- Crowd platforms ------------------------------------------------------------------------
# The address that platforms send people to; Mechanical Turk and Prolific take https alone.
PUBLIC_BASE_URL = env.str("PUBLIC_BASE_URL", SITE_URL).rstrip("/")
_public = urlsplit(PUBLIC_BASE_URL)
if _public.scheme not in {"http", "https"} or not _public.hostname:
    raise ValueError(f"PUBLIC_BASE_URL must be an http(s) address, not {PUBLIC_BASE_URL!r}")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", list(dict.fromkeys([_site.hostname, _public.hostname])))
# sandbox or live: two markets, never mixed.
MTURK_MODE = env.str("MTURK_MODE", "sandbox", validate=validate.OneOf(["sandbox", "live"]))
MTURK_ENDPOINT_URL = env.str("MTURK_ENDPOINT_URL", "")  # empty: the mode's own
MTURK_ACCOUNT = env.str("MTURK_ACCOUNT", "")  # a name for the requester account, kept with HITs
# Origins of the mode: whose pages may frame a task, and where finished work may be handed in.
MTURK_FRAME_HOSTS: list[str] = env.list("MTURK_FRAME_HOSTS", [])  # empty: the mode's own
MTURK_SUBMIT_HOSTS: list[str] = env.list("MTURK_SUBMIT_HOSTS", [])
MTURK_NOTIFY_QUEUE_URL = env.str("MTURK_NOTIFY_QUEUE_URL", "")  # an SQS queue
MTURK_NOTIFY_TOPIC_ARN = env.str("MTURK_NOTIFY_TOPIC_ARN", "")  # or an SNS topic
PROLIFIC_API_URL = env.str("PROLIFIC_API_URL", "https://api.prolific.com").rstrip("/")
PROLIFIC_TOKEN = env.str("PROLIFIC_TOKEN", "")
PROLIFIC_PROJECT = env.str("PROLIFIC_PROJECT", "")  # of their workspace; empty: its first
PROLIFIC_WEBHOOK_SECRET = env.str("PROLIFIC_WEBHOOK_SECRET", "")
# Prolific's fee, with its tax where there is one: it differs between accounts, and is not told.
PROLIFIC_FEE_PERCENT = env.decimal(
    "PROLIFIC_FEE_PERCENT", Decimal("42.8"), validate=validate.Range(min=0)
)

ROOT_URLCONF = "clime_project.urls"
WSGI_APPLICATION = "clime_project.wsgi.application"
INSTALLED_APPS = [
    "models_ml.apps.ModelsMlConfig",
    "tasks.apps.TasksConfig",
    "annotation.apps.AnnotationConfig",
    "clime_project.apps.ClimeProjectConfig",
    "rest_framework",
    "csp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Where the rows live --------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": env.dj_db_url(
        "DATABASE_URL", f"sqlite:///{DATA_DIR / 'clime.sqlite3'}", conn_max_age=60
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Measured: with 20 writers the defaults lost 960 of 1,000 writes to "database is locked",
    # these settings none. IMMEDIATE takes the write lock at BEGIN, where waiting is possible.
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        transaction_mode="IMMEDIATE",
        timeout=30,
        init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Where the artefacts live ---------------------------------------------------------------
_bucket = env.str("S3_BUCKET", "")
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": _bucket,
            "endpoint_url": env.str("S3_ENDPOINT_URL", "") or None,
            "region_name": env.str("S3_REGION", "") or None,
            "file_overwrite": True,  # addresses are content hashes: the same name, the same bytes
        },
    }
    if _bucket
    else {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "artefacts"},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "clime_project.static_files.StaticFiles"
    },
}
# Workers memory-map vectors from this folder when the storage itself is not a local one.
ARTEFACT_CACHE_DIR = DATA_DIR / "cache"
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "staticfiles"

# --- The machine's work ---------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost")
# A person's click must not wait for a broker that is away: the sweeper sends the message later.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"max_retries": 0}
if CELERY_BROKER_URL.startswith("redis"):
    # Of the queues below, the first one that holds anything; others are served in turn.
    CELERY_BROKER_TRANSPORT_OPTIONS["queue_order_strategy"] = "priority"
if CELERY_BROKER_URL.startswith("filesystem:"):
    _broker = DATA_DIR / "broker"
    for _name in ("queue", "control"):
        (_broker / _name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS |= {
        "data_folder_in": str(_broker / "queue"),
        "data_folder_out": str(_broker / "queue"),
        "control_folder": str(_broker / "control"),
        "polling_interval": 0.2,
    }
CELERY_INCLUDE = ["clime_project.jobs"]  # loaded by workers alone
# Two queues: what a person waits for never queues behind training.
CELERY_TASK_DEFAULT_QUEUE = "people"
CELERY_TASK_QUEUES = [Queue("people"), Queue("training")]
CELERY_TASK_IGNORE_RESULT = True  # results are rows, not messages
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {"task": "clime_project.jobs.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "sync_platforms": {
        "task": "clime_project.jobs.sync_platforms",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
}
if MTURK_NOTIFY_QUEUE_URL:
    CELERY_BEAT_SCHEDULE["hear_platforms"] = {
        "task": "clime_project.jobs.hear_platforms",
        "schedule": 15.0,
        "options": {"expires": 15},
    }
# A worker that has not reported for this long is taken for dead and its job is given to another.
JOB_LEASE_S = env.int("JOB_LEASE_S", 60, validate=validate.Range(min=1))
JOB_MAX_ATTEMPTS = env.int("JOB_MAX_ATTEMPTS", 5, validate=validate.Range(min=1))

# --- Safety ---------------------------------------------------------------------------------
_https = _site.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = _https and env.bool("SSL_REDIRECT", True)
SECURE_HSTS_SECONDS = env.int("HSTS_S", 3600 if _https else 0)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", False) else None
)
CSRF_TRUSTED_ORIGINS = [SITE_URL] if _https else []
# A task address carries its authority: it must not leak to another site as a referrer.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# A tick is a field, and managers may tick every link of a project with a thousand people.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}

# --- Words and clocks -----------------------------------------------------------------------
LANGUAGE_CODE = "en"
# The task pages speak these; each annotator chooses. The admin and the reports are in English.
LANGUAGES = [("ar", "العربية"), ("en", "English"), ("fr", "Français"), ("sw", "Kiswahili")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO").upper()},
}

# Generic classes of Django are subscripted in annotations (`ModelAdmin[Project]`).
django_stubs_ext.monkeypatch()
