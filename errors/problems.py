"""Problem bodies (RFC 9457) for errors, the same over HTTP, WebSocket and polling."""

import math
from collections.abc import Mapping
from typing import Any

import structlog
from django.utils.translation import get_language

from errors.catalogue import snapshot
from errors.codes import ERROR_SPECS, ErrorCode
from errors.exceptions import AppError, get_error_code
from errors.messages.default_texts import ACTION_LABELS
from errors.messages.message import render_message
from performance.exceptions import LimitExceeded

Problem = dict[str, Any]


def get_current_locale() -> str:
    """Return the locale of the messages for the current request or thread."""
    return snapshot.resolve_locale(get_language())


def build_problem(
    code: ErrorCode,
    *,
    locale: str | None = None,
    instance: str = "",
    request_id: str = "",
    fields: dict[str, str] | None = None,
    retry_after_ms: int | None = None,
    action_params: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    platform: str = "",
) -> Problem:
    """Build the problem body for a code.

    fields: {input name: error}; params: values for the placeholders of the message; platform: the id of the affected
    AI platform, which selects an override of the message.
    """
    spec = ERROR_SPECS[code]
    wait_ms = spec.retry_after_ms if retry_after_ms is None else retry_after_ms
    message = build_displayed_message(
        code,
        locale or get_current_locale(),
        _build_placeholder_values(wait_ms, params),
        platform=platform,
        action_params=action_params,
    )
    body: Problem = {
        "type": f"urn:problem:{code.lower().replace('_', '-')}",
        "title": message["title"],
        "status": spec.http_status,
        "detail": message["message"],
        "instance": instance,
        "code": code.value,
        "severity": spec.severity.value,
        "retryable": spec.is_retryable,
        "retry_after_ms": wait_ms,
        "request_id": request_id or structlog.contextvars.get_contextvars().get("request_id", ""),
        "copy": message,
    }
    if fields:
        body["fields"] = fields
    return body


def _build_placeholder_values(wait_ms: int | None, params: Mapping[str, Any] | None) -> dict[str, Any]:
    wait = {} if wait_ms is None else {"seconds": math.ceil(wait_ms / 1000)}
    return wait | dict(params or {})


def build_displayed_message(
    code: ErrorCode,
    language: str,
    values: Mapping[str, Any] | None = None,
    *,
    platform: str = "",
    action_params: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the `copy` part of a body: the current message with its placeholders filled. Never raises."""
    locale = snapshot.resolve_locale(language)
    message = snapshot.get_current_message(code, locale, platform)
    texts = render_message(code, locale, message, values or {})
    label = texts.pop("action_label") or ACTION_LABELS[locale].get(message.action, "")  # type: ignore[call-overload]
    return {
        "locale": locale,
        **texts,
        "display": message.display,
        "icon": message.icon,
        "duration_ms": message.duration_ms,
        "action": {
            "kind": message.action,
            "label": label,
            "params": {**message.action_params, **(action_params or {})},
        },
        "revision": message.revision,
    }


def build_problem_from_exception(error: BaseException, *, locale: str | None = None, instance: str = "") -> Problem:
    """Build the problem body for an exception, by its code."""
    if isinstance(error, AppError):
        return build_problem(
            error.code,
            locale=locale,
            instance=instance,
            fields=error.fields,
            retry_after_ms=error.retry_after_ms,
            params=error.params,
        )
    wait_ms = math.ceil(error.retry_after_seconds * 1000) if isinstance(error, LimitExceeded) else None
    return build_problem(get_error_code(error), locale=locale, instance=instance, retry_after_ms=wait_ms)


def build_error_catalogue(language: str) -> dict[str, Any]:
    """Return the messages and properties of all codes, with which a client explains errors while offline."""
    locale = snapshot.resolve_locale(language)
    return {
        "locale": locale,
        "errors": {
            code.value: build_displayed_message(
                code, locale, _build_placeholder_values(ERROR_SPECS[code].retry_after_ms, None)
            )
            for code in ErrorCode
        },
        "codes": {
            code.value: {
                "status": spec.http_status,
                "severity": spec.severity.value,
                "retryable": spec.is_retryable,
                "retry_after_ms": spec.retry_after_ms,
            }
            for code, spec in ERROR_SPECS.items()
        },
    }
