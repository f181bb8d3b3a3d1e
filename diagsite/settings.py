"""All settings, typed, from the environment. docs/reference/settings.md explains them for operators.

ENVIRONMENT defaults to `production` if DATABASE_URL is set, else to `development`. In production secrets have no
defaults, and the start fails with a list of everything that is missing.
"""

import logging
import os
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvValidationError, validate

from diagsite.server import db_pool
from diagsite.server.database_url import FAILOVER_OPTIONS, split_hosts
from diagsite.server.unsafe_settings import find_placeholders
from performance.redis_clients import build_cache_settings, build_channel_layer_host, parse_sentinel_url

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(eager=False)
ENVIRONMENT: str = env.str("ENVIRONMENT", "production" if env.str("DATABASE_URL", "") else "development")
PRODUCTION = ENVIRONMENT != "development"
DEMO: bool = env.bool("DEMO", not PRODUCTION)


def _read_required(name: str, in_development: str) -> str:
    """Read a setting that has a default in development only."""
    value: str = env.str(name) if PRODUCTION else env.str(name, in_development)
    return value


SECRET_KEY = _read_required("SECRET_KEY", "development-only")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS") if PRODUCTION else env.list("ALLOWED_HOSTS", ["*"])
DATABASE_URL = _read_required("DATABASE_URL", "postgresql://postgres@127.0.0.1/postgres")
REDIS_URL = _read_required("REDIS_URL", "")
try:
    parse_sentinel_url(REDIS_URL or "")
except ValueError as error:
    raise ImproperlyConfigured(f"in the environment, REDIS_URL {error}") from error
DEBUG: bool = env.bool("DEBUG", False)

try:
    _first_host_url, _database_hosts = split_hosts(DATABASE_URL or "")
    DATABASES: dict[str, Any] = {
        "default": dj_database_url.parse(_first_host_url) | _database_hosts
        if _database_hosts
        else env.dj_db_url("DATABASE_URL", DATABASE_URL)
    }
    env.seal()
except EnvValidationError as error:
    messages = error.error_messages if isinstance(error.error_messages, Mapping) else {}
    problems = [
        f"{name}: {text[0].rstrip('.').removeprefix('Environment variable ')}" for name, text in messages.items()
    ]
    raise ImproperlyConfigured(f"in the environment, {'; '.join(problems)}") from error
except ValueError as error:
    raise ImproperlyConfigured(
        "DATABASE_URL is not a database URL: postgresql://user:password@host:5432/name, or host:5432,host:5432"
    ) from error

env = Env()
DATABASES["default"].update(CONN_HEALTH_CHECKS=True)
if not DATABASES["default"]["ENGINE"].endswith("postgresql"):
    raise ImproperlyConfigured(
        "DATABASE_URL must name a PostgreSQL database: postgresql://user:password@host:5432/name"
    )
DATABASES["default"]["ENGINE"] = "django_prometheus.db.backends.postgresql"  # Django's backend, with query metrics
_database_options = DATABASES["default"].setdefault("OPTIONS", {})
if _database_hosts:
    _database_options |= FAILOVER_OPTIONS | _database_options
_database_options["pool"] = {
    "min_size": 2,
    "max_size": env.int("DATABASE_POOL_SIZE", 16),
    "timeout": 10,
    "reconnect_timeout": db_pool.RECONNECT_TIMEOUT_SECONDS,
    "reconnect_failed": db_pool.retry_connect,
}
# Ends the transaction of a suspended process, so that the sweep does not wait for its locks forever.
DATABASE_IDLE_SECONDS: int = env.int("DATABASE_IDLE_SECONDS", 30)
_database_options["options"] = (
    f"-c idle_in_transaction_session_timeout={DATABASE_IDLE_SECONDS}s {_database_options.get('options', '')}".rstrip()
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_prometheus",
    "diagsite.apps.JobsConfig",  # procrastinate.contrib.django
    "channels",
    "diagsite.apps.SignInsConfig",  # axes
    "ninja",  # serves the files of the API's documentation page
    "performance",
    "errors",
    "progress",
    "diagnosis",
    "monitoring",
    "diagsite",
]

MIDDLEWARE = [
    "monitoring.instrumentation.http.count_requests",
    "diagsite.server.request_id.request_id_middleware",
    "diagsite.server.middleware.SecurityMiddleware",
    "diagsite.web.static_files.StaticFilesMiddleware",
    "diagsite.server.middleware.SessionMiddleware",
    "diagsite.server.middleware.LocaleMiddleware",
    "diagsite.web.error_pages.method_not_allowed_middleware",
    "diagsite.web.null_characters.null_character_middleware",
    "diagsite.api.rate_limits.rate_limit_middleware",
    "diagsite.server.middleware.CommonMiddleware",
    "diagsite.server.middleware.CsrfViewMiddleware",
    "diagsite.server.middleware.AuthenticationMiddleware",
    "diagsite.server.middleware.MessageMiddleware",
    "diagsite.server.middleware.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

# These checks look for Django's middleware by name; the site uses subclasses (test_middleware.py).
SILENCED_SYSTEM_CHECKS = [
    *("security.W001", "security.W002", "security.W003"),
    *("security.W005", "security.W021"),  # HSTS for subdomains and preloading are the operator's decision
]

ROOT_URLCONF = "diagsite.urls"
ASGI_APPLICATION = "diagsite.asgi.application"
AUTH_USER_MODEL = "diagsite.User"
LOGIN_URL = "pages:login"
LOGIN_REDIRECT_URL = "/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Language and time ---------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE: str = env.str("TIME_ZONE", "Asia/Shanghai")

# Static files --------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static" if PRODUCTION else None
# The web page uses the client core and the question templates of the mini-program.
STATICFILES_DIRS = [(name, BASE_DIR / "miniprogram" / name) for name in ("services", "presentation")]
STATICFILES_DIRS += [("stream", BASE_DIR / "miniprogram" / "pages" / "report-v2" / "stream")]
BUNDLES_DIRECTORY = BASE_DIR / "var" / "bundles"  # diagsite/web/bundles.py
if (BUNDLES_DIRECTORY / "static").is_dir():
    STATICFILES_DIRS += [("bundles", BUNDLES_DIRECTORY / "static")]
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Security ------------------------------------------------------------------------------------------------------------
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_EXCEPTION_REPORTER_FILTER = "diagsite.server.unsafe_settings.ExceptionReporterFilter"
CSRF_FAILURE_VIEW = "diagsite.web.error_pages.csrf_failure"
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION and env.bool("HTTPS", True)
# Supervisors, Prometheus and the callers of the demo platform ask a process for these by its own address, over HTTP: no
# check of the host, no redirect.
PROBE_PATHS = ["/healthz", "/healthz/full", "/readyz", "/metrics", "/demo/v1/chat/completions"]
SECURE_REDIRECT_EXEMPT = [f"^{path.lstrip('/')}$" for path in PROBE_PATHS]
# A day, for this host only: a browser remembers it even when the certificate is gone.
SECURE_HSTS_SECONDS: int = env.int("HSTS_SECONDS", 86_400) if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS: bool = env.bool("HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD: bool = env.bool("HSTS_PRELOAD", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION and env.bool("BEHIND_PROXY", True) else None
# Proxies in front of the site, each of which adds to X-Forwarded-For.
TRUSTED_PROXIES: int = env.int("TRUSTED_PROXIES", 1, validate=validate.Range(min=1))
# In the format of Django 6. diagsite/web/csp.py builds the header and adds the address of the WebSocket.
SECURE_CSP = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
    "object-src": ["'none'"],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # the largest valid request is about 60 KB
# Limits: per user, per IP address (which a whole company may share), and of expensive requests.
CALLS_PER_MINUTE: int = env.int("CALLS_PER_MINUTE", 600)
ADDRESS_CALLS_PER_MINUTE: int = env.int("ADDRESS_CALLS_PER_MINUTE", 6000)
SIGN_INS_PER_MINUTE: int = env.int("SIGN_INS_PER_MINUTE", 120)
STARTS_PER_MINUTE: int = env.int("STARTS_PER_MINUTE", 30)
EXPORTS_PER_MINUTE: int = env.int("EXPORTS_PER_MINUTE", 30)
EXPORTS_AT_ONCE: int = env.int("EXPORTS_AT_ONCE", 2)
MAX_CONCURRENT_CHANGES: int = env.int("MAX_CONCURRENT_CHANGES", 2)  # of one user in a server process; 0 for no limit
TOKEN_LIFETIME_SECONDS: int = env.int("TOKEN_LIFETIME_SECONDS", 7 * 24 * 3600)

# Lockout after failed sign-ins with a password, per combination of account and IP address.
SIGN_IN_FAILURES: int = env.int("SIGN_IN_FAILURES", 5)
SIGN_IN_PAUSE_SECONDS: int = env.int("SIGN_IN_PAUSE_SECONDS", 900)
AXES_FAILURE_LIMIT = SIGN_IN_FAILURES
AXES_COOLOFF_TIME = timedelta(seconds=SIGN_IN_PAUSE_SECONDS)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # by name alone, anyone could lock out its owner
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the announced waiting time stays correct
AXES_CLIENT_IP_CALLABLE = "diagsite.accounts.lockout.get_sign_in_ip"
AXES_LOCKOUT_CALLABLE = "diagsite.accounts.lockout.build_lockout_response"
AXES_DISABLE_ACCESS_LOG = True  # Django's admin log records the actions of staff
AXES_ENABLE_ADMIN = False  # diagsite/admin/sign_ins.py replaces its pages
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken", "next"]

# WeChat --------------------------------------------------------------------------------------------------------------
WECHAT_API_BASE: str = env.str("WECHAT_API_BASE", "https://api.weixin.qq.com")
WECHAT_APP_ID: str = env.str("WECHAT_APP_ID", "")
WECHAT_APP_SECRET: str = env.str("WECHAT_APP_SECRET", "")
# The subscribe message "diagnosis ended"; no template, no messages. {field of the template: value}.
WECHAT_TEMPLATE_ID: str = env.str("WECHAT_TEMPLATE_ID", "")
WECHAT_TEMPLATE_FIELDS: dict[str, str] = env.dict(
    "WECHAT_TEMPLATE_FIELDS", {"thing1": "brand", "phrase2": "status", "number3": "valid", "time4": "time"}
)
WECHAT_MINIPROGRAM_STATE: str = env.str("WECHAT_MINIPROGRAM_STATE", "formal")
# Checks of what users type, before it is stored (docs/operations/moderation.md).
MODERATION_MINIPROGRAM: str = env.str(
    "MODERATION_MINIPROGRAM",
    "wechat" if WECHAT_APP_ID else "off",
    validate=validate.OneOf(["off", "wechat", "tencent"]),
)
MODERATION_WEB: str = env.str("MODERATION_WEB", "off", validate=validate.OneOf(["off", "tencent"]))
# What happens to a request while the check does not answer.
MODERATION_UNAVAILABLE: str = env.str("MODERATION_UNAVAILABLE", "refuse", validate=validate.OneOf(["refuse", "accept"]))
MODERATION_TIMEOUT_SECONDS: float = env.float("MODERATION_TIMEOUT_SECONDS", 6)
TENCENT_MODERATION_BASE: str = env.str("TENCENT_MODERATION_BASE", "https://tms.tencentcloudapi.com")
TENCENT_SECRET_ID: str = env.str("TENCENT_SECRET_ID", "")
TENCENT_SECRET_KEY: str = env.str("TENCENT_SECRET_KEY", "")
TENCENT_REGION: str = env.str("TENCENT_REGION", "ap-guangzhou")
TENCENT_MODERATION_POLICY: str = env.str("TENCENT_MODERATION_POLICY", "")  # the console's BizType
MODERATE_TEXTS = "diagsite.moderation.services.check_texts"
if MODERATION_MINIPROGRAM == "wechat" and not WECHAT_APP_ID:
    raise ImproperlyConfigured("in the environment, MODERATION_MINIPROGRAM=wechat needs WECHAT_APP_ID")
if "tencent" in (MODERATION_MINIPROGRAM, MODERATION_WEB) and not (TENCENT_SECRET_ID and TENCENT_SECRET_KEY):
    raise ImproperlyConfigured(
        "in the environment, moderation by `tencent` needs TENCENT_SECRET_ID and TENCENT_SECRET_KEY"
    )
NOTICE_GRACE_SECONDS: float = env.float("NOTICE_GRACE_SECONDS", 5)
ACCOUNT_CLIENT = "diagsite.accounts.users.get_account_client"
# Called in this order, in the transaction that ends a diagnosis.
DIAGNOSIS_ENDED = [
    "diagnosis.workspaces.run_end.handle_run_end",
    "diagsite.notifications.outbox.create_diagnosis_notification",
]
SCHEDULE_SKIPPED = "diagsite.notifications.outbox.create_skip_notification"

# Legal documents and feedback ----------------------------------------------------------------------------------------
OPERATOR_NAME: str = env.str("OPERATOR_NAME", "")  # the company, as in the documents
OPERATOR_CONTACT: str = env.str("OPERATOR_CONTACT", "")  # an e-mail address or telephone number
OPERATOR_REPLY_DAYS: int = env.int("OPERATOR_REPLY_DAYS", 15, validate=validate.Range(min=1))
LEGAL_TEXTS_DIR: str = env.str("LEGAL_TEXTS_DIR", "")  # files that replace those of diagsite/legal/texts
TERMS_VERSION: str = env.str("TERMS_VERSION", "2026-12-01", validate=validate.Length(min=1, max=32))
CONSENT_REQUIRED: bool = env.bool("CONSENT_REQUIRED", not DEMO)  # before the first diagnosis of an account
CHECK_CONSENT = "diagsite.legal.consent.check_consent"

# Push ----------------------------------------------------------------------------------------------------------------
PROGRESS_AUTHENTICATE = "diagsite.accounts.tokens.verify_token"
PROGRESS_ADDRESS = "diagsite.web.client_ip.get_socket_address_key"
PROGRESS_SIGNED_OUT = "diagsite.accounts.tokens.find_invalid_credentials"
PROGRESS_VISIBLE = "diagnosis.models.access.build_stream_filter"
PROGRESS_LOST = "diagnosis.models.access.find_lost_access_to_streams"
PROGRESS_ENDED = "diagsite.notifications.outbox.mark_notification_seen"
if REDIS_URL:
    CHANNEL_LAYERS: dict[str, Any] = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # By default redis-py 8 closes an idle subscription after 5 s.
            "CONFIG": {"hosts": [build_channel_layer_host(REDIS_URL, socket_timeout=None, socket_connect_timeout=1)]},
        }
    }
    CACHES: dict[str, Any] = {"default": build_cache_settings(REDIS_URL)}
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

PING_SECONDS: float = env.float("PING_SECONDS", 10)
PONG_GRACE_SECONDS: float = env.float("PONG_GRACE_SECONDS", 5)
HELLO_SECONDS: float = env.float("HELLO_SECONDS", 5)
SOCKETS_PER_ACCOUNT: int = env.int("SOCKETS_PER_ACCOUNT", 20)  # per server process; 0 for no limit
SOCKETS_PER_ADDRESS: int = env.int("SOCKETS_PER_ADDRESS", 200)  # as above; a whole company may share an address

# Diagnoses -----------------------------------------------------------------------------------------------------------
DIAGNOSES_AT_ONCE: int = env.int("DIAGNOSES_AT_ONCE", 10)
# Limits on unfinished diagnoses; further requests are refused. 0 for no limit.
MAX_UNFINISHED_DIAGNOSES: int = env.int("MAX_UNFINISHED_DIAGNOSES", 2000)
MAX_UNFINISHED_PER_OWNER: int = env.int("MAX_UNFINISHED_PER_OWNER", 100)
# So that an account's diagnoses do not delay those of others: how many run at once, and the share of a platform's
# concurrency and rate that they may take.
MAX_RUNNING_PER_OWNER: int = env.int("MAX_RUNNING_PER_OWNER", 5)  # 0 for no limit
PLATFORM_SHARE_PER_OWNER: float = env.float(
    "PLATFORM_SHARE_PER_OWNER", 0.75, validate=validate.Range(min=0, min_inclusive=False, max=1)
)
DIAGNOSIS_TIMEOUT_SECONDS: float = env.float("DIAGNOSIS_TIMEOUT_SECONDS", 600)
CALL_TIMEOUT_SECONDS: float = env.float("CALL_TIMEOUT_SECONDS", 60)
CALL_ATTEMPTS: int = env.int("CALL_ATTEMPTS", 3)
# A file in the format of diagnosis/analysis/matching/brands.toml that adds known brands; empty for none.
KNOWN_BRANDS_FILE: str = env.str("KNOWN_BRANDS_FILE", "")
# The id of the platform that extracts brands and judgements from answers; if empty, reports say "not evaluated".
JUDGE_PLATFORM: str = env.str("JUDGE_PLATFORM", "")
JUDGE_CALLS: int = env.int("JUDGE_CALLS", 60)
JUDGE_SECONDS: float = env.float("JUDGE_SECONDS", 120)
# The most that an account may spend in a calendar month, in yuan, unless it has a budget of its own; None for no limit.
ACCOUNT_MONTHLY_BUDGET: Decimal | None = env.decimal("ACCOUNT_MONTHLY_BUDGET", None, validate=validate.Range(min=0))
WORKSPACES_PER_OWNER: int = env.int("WORKSPACES_PER_OWNER", 20)
SCHEDULES_PER_OWNER: int = env.int("SCHEDULES_PER_OWNER", 20)
# The hosts of the seeded platforms, and those that the variable adds. In development also 127.0.0.1, for the demo
# platform and the fakes of the tests.
_more_outgoing_hosts: list[str] = env.list("OUTGOING_HOSTS", [])
OUTGOING_HOSTS: list[str] = sorted(
    {
        "ark.cn-beijing.volces.com",
        "api.deepseek.com",
        "dashscope.aliyuncs.com",
        "api.moonshot.cn",
        "open.bigmodel.cn",
        "tokenhub.tencentmaas.com",
        "qianfan.baidubce.com",
        "api.openai.com",
        "generativelanguage.googleapis.com",
        "vertexaisearch.cloud.google.com",  # redirects to Gemini's sources
        "api.anthropic.com",
        "api.perplexity.ai",
        *([] if PRODUCTION else ["127.0.0.1"]),
        *map(str.lower, _more_outgoing_hosts),
    }
)
PORT: int = env.int("PORT", 8765)
DEMO_BASE_URL: str = env.str("DEMO_BASE_URL", f"http://127.0.0.1:{PORT}/demo/v1")
DEMO_LATENCY: float = env.float("DEMO_LATENCY", 1.0)  # factor for the response times of the demo platform

JOB_HEARTBEAT_SECONDS: float = env.float("JOB_HEARTBEAT_SECONDS", 2)
JOB_STALLED_SECONDS: float = env.float("JOB_STALLED_SECONDS", 10)
JOB_SWEEP_SECONDS: int = env.int("JOB_SWEEP_SECONDS", 5)
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": DIAGNOSES_AT_ONCE,
    "update_heartbeat_interval": JOB_HEARTBEAT_SECONDS,
    "stalled_worker_timeout": JOB_STALLED_SECONDS,
    "shutdown_graceful_timeout": 0,  # diagnosis/running/runner.py ends its own runs
    "delete_jobs": "successful",
}
PROCRASTINATE_ON_APP_READY = "monitoring.instrumentation.jobs.count_jobs"

# Errors --------------------------------------------------------------------------------------------------------------
# How often a process refreshes the error messages and writes its error records; 0 for never.
ERRORS_REFRESH_SECONDS: float = env.float("ERRORS_REFRESH_SECONDS", 0.5)
ERRORS_PLATFORMS = "diagnosis.platforms.status.get_platform_names"

# Exports -------------------------------------------------------------------------------------------------------------
# The operator's code as the producer of AI content, in the metadata of every export (GB 45438-2025).
AIGC_PRODUCER: str = env.str("AIGC_PRODUCER", "", validate=validate.Regexp(r"[!#-\[\]-~]{0,28}\Z"))

# Retention -----------------------------------------------------------------------------------------------------------
# Days per rule of diagsite/operations/retention.py where they differ from its defaults: `alerts=180,streams=7`;
# 0 keeps rows forever. Two rules have their default days in a variable of their own.
KEPT_DAYS: dict[str, float] = env.dict("KEPT_DAYS", {}, subcast_values=float)
ERRORS_KEPT_DAYS: int = env.int("ERRORS_KEPT_DAYS", 30)
SAMPLES_KEPT_DAYS: int = env.int("SAMPLES_KEPT_DAYS", 8)
for _rule, _variable, _days in (
    ("errors", "ERRORS_KEPT_DAYS", ERRORS_KEPT_DAYS),
    ("samples", "SAMPLES_KEPT_DAYS", SAMPLES_KEPT_DAYS),
):
    if _variable in os.environ and KEPT_DAYS.get(_rule, _days) != _days:
        raise ImproperlyConfigured(
            f"in the environment, {_variable} is {_days}, but KEPT_DAYS has {_rule}={KEPT_DAYS[_rule]:g}: set only one"
        )

# Monitoring ----------------------------------------------------------------------------------------------------------
# How often a process stores its samples; 0 disables it.
SAMPLES_FLUSH_SECONDS: float = env.float("SAMPLES_FLUSH_SECONDS", 15)
# Histograms whose buckets are stored, for percentiles.
SAMPLED_BUCKETS = ["diagnosis_call_seconds"]
# Gauges computed from database rows once for the whole site: {gauge: function}.
SITE_GAUGES = {
    "diagnosis_running": "diagnosis.statistics.count_running_by_demo",
    "diagnosis_unfinished": "diagnosis.statistics.count_unfinished_by_demo",
    "diagnosis_longest_wait_seconds": "diagnosis.statistics.get_longest_waits_by_demo",
    "diagnosis_budgets_used": "diagnosis.spending.overview.count_used_budgets",
    "jobs_waiting": "monitoring.instrumentation.db_gauges.count_waiting_jobs",
    "wechat_messages_rejected": "diagsite.notifications.outbox.count_rejected_messages",
}
# Functions of a higher layer that the dashboard calls.
DASHBOARD_DIAGNOSES = "diagnosis.platforms.status.count_unfinished_by_status"
DASHBOARD_PLATFORMS = "diagnosis.platforms.status.get_platform_statuses"
# What alerts name as their causes (monitoring/alerts/platform_alerts.py, monitoring/rules/breakdown.py).
ALERT_PLATFORM_PROBLEMS = "diagnosis.platforms.problems.find_platform_problems"
ALERT_FAILED_ANSWERS = "diagnosis.platforms.problems.count_failed_answers"
# Where a worker process serves /metrics; 0 disables it. A server process serves it on its own port.
METRICS_PORT: int = env.int("METRICS_PORT", 0)
METRICS_HOST: str = env.str("METRICS_HOST", "127.0.0.1")
# Alert delivery (docs/operations/alerts.md). URLs entered in the admin may only use these hosts: those of the chat
# bots, and those that the variable adds.
_more_alert_hosts: list[str] = env.list("ALERT_HOSTS", [])
ALERT_HOSTS: list[str] = sorted(
    {
        "oapi.dingtalk.com",
        "qyapi.weixin.qq.com",
        "open.feishu.cn",
        "open.larksuite.com",
        *([] if PRODUCTION else ["127.0.0.1"]),
        *map(str.lower, _more_alert_hosts),
    }
)
ALERT_SECRETS_KEY: list[str] = env.list("ALERT_SECRETS_KEY", [])  # the first key encrypts, all keys decrypt
ALERT_MESSAGES_PER_MINUTE: int = env.int("ALERT_MESSAGES_PER_MINUTE", 20)  # the limit of a chat bot
ALERT_LEASE_SECONDS: float = env.float("ALERT_LEASE_SECONDS", 60)  # longer than a send with its timeouts
ALERTMANAGER_TOKEN: str = env.str("ALERTMANAGER_TOKEN", "")
HEARTBEAT_PING_URL: str = env.str("HEARTBEAT_PING_URL", "")
WATCHDOG_GRACE_SECONDS: float = env.float("WATCHDOG_GRACE_SECONDS", 60)
SITE_URL: str = env.str("SITE_URL", "" if PRODUCTION else f"http://127.0.0.1:{PORT}").rstrip("/")
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", "webmaster@localhost")
EMAIL_URL: str = env.str("EMAIL_URL", "")
_email: dict[str, Any] = dict(env.dj_email_url("EMAIL_URL", "smtp://"))
EMAIL_HOST: str = _email["EMAIL_HOST"] or "" if EMAIL_URL else ""
EMAIL_PORT: int = _email["EMAIL_PORT"] or 25
EMAIL_HOST_USER: str = _email["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD: str = _email["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS: bool = bool(_email.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL: bool = bool(_email.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10

# Logs ----------------------------------------------------------------------------------------------------------------
PROMETHEUS_EXPORT_MIGRATIONS = False
METRICS_TOKEN: str = env.str("METRICS_TOKEN", "")
LOG_FORMAT: str = env.str("LOG_FORMAT", "json" if PRODUCTION else "console")
LOG_LEVEL: int = env.log_level("LOG_LEVEL", logging.INFO)
LOG_FILE: str = env.str("LOG_FILE", "")  # empty for standard error
LOGGING_CONFIG = "diagsite.server.log_config.configure_logging"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL, "file": LOG_FILE}

# Refusals ------------------------------------------------------------------------------------------------------------
_unsafe = [f"DEBUG: must be off when ENVIRONMENT={ENVIRONMENT}"] if DEBUG else []
_unsafe += [
    f"{name}: a placeholder, not a secret; generate one, such as by python3 -c 'import secrets; "
    "print(secrets.token_urlsafe(50))'"
    for name in find_placeholders(
        {
            "SECRET_KEY": SECRET_KEY or "",
            "SECRET_KEY_FALLBACKS": SECRET_KEY_FALLBACKS,
            "METRICS_TOKEN": METRICS_TOKEN,
            "ALERTMANAGER_TOKEN": ALERTMANAGER_TOKEN,
            "ALERT_SECRETS_KEY": ALERT_SECRETS_KEY,
            "WECHAT_APP_SECRET": WECHAT_APP_SECRET,
            "TENCENT_SECRET_KEY": TENCENT_SECRET_KEY,
            "DATABASE_URL": DATABASE_URL or "",
            "REDIS_URL": REDIS_URL or "",
            "EMAIL_URL": EMAIL_URL,
        }
    )
]
if PRODUCTION and _unsafe:
    raise ImproperlyConfigured(f"in the environment, {'; '.join(_unsafe)}")
