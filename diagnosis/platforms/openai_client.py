"""Client for the OpenAI Chat Completions protocol. Every failure becomes a CallFailed with its reason.

The SDK is imported at the first call: that takes half as long as the rest of the site, and few processes make calls.
"""

import asyncio
import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from django.conf import settings

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.errors import (
    ErrorResponse,
    classify_error_response,
    classify_finish_reason,
    get_platform_wait_seconds,
)
from performance.client_metrics import measure_call
from performance.ssrf_guard import HostNotAllowed, get_ssl_context, restrict_hosts

if TYPE_CHECKING:
    import openai

MAX_ANSWER_CHARACTERS = 20_000
PLATFORM_CONNECT_TIMEOUT_SECONDS = 10
MAX_CACHED_CLIENTS = 100


@dataclass(frozen=True)
class PlatformReply:
    """A valid reply: its text, and the model as the platform names it."""

    text: str
    model: str


@dataclass(frozen=True)
class _Endpoint:
    """Base URL and key of a platform. Builds every failure, so that the key is always redacted."""

    base_url: str
    key: str

    @classmethod
    def from_platform(cls, platform: Platform) -> Self:
        """Return the endpoint. Raises CallFailed if its URL is invalid, its host not allowed, or its key unusable."""
        base_url = platform.base_url or (settings.DEMO_BASE_URL if platform.is_demo else "")
        try:
            parts = urlsplit(base_url)
            is_valid_url = parts.scheme in ("http", "https") and parts.port != 0
        except ValueError:  # unmatched brackets, or a port that is not a number
            is_valid_url = False
        if not is_valid_url:
            raise CallFailed(FailureReason.KEY, "the platform's base URL is not a valid URL")
        if parts.hostname not in settings.OUTGOING_HOSTS:
            raise CallFailed(FailureReason.KEY, f"{parts.hostname} is not in OUTGOING_HOSTS")
        if not has_usable_key(platform):
            raise CallFailed(
                FailureReason.KEY, f"{platform.key_variable or 'the key variable'} is not set to a usable key"
            )
        return cls(base_url, "demo" if platform.is_demo else os.environ[platform.key_variable].strip())

    def build_failure(self, reason: FailureReason, detail: object, wait_seconds: float | None = None) -> CallFailed:
        return CallFailed(reason, redact_secrets(str(detail), self.key), wait_seconds=wait_seconds)

    def build_refusal(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> CallFailed:
        lowercase_headers = {name.lower(): value for name, value in (headers or {}).items()}
        response = ErrorResponse(status, body, lowercase_headers, urlsplit(self.base_url).hostname or "")
        return self.build_failure(
            classify_error_response(response), f"HTTP {status}: {body}", get_platform_wait_seconds(response)
        )

    def parse_completion(self, completion: Any) -> PlatformReply:
        """Return the reply, or raise CallFailed: the SDK accepts HTML, errors with status 200 and empty answers."""
        from openai.types.chat import ChatCompletion

        if not isinstance(completion, ChatCompletion):
            raise self.build_failure(FailureReason.UNREADABLE, f"not a completion: {completion}")
        extra_fields = completion.model_extra or {}
        if extra_fields.get("error") or not completion.choices:
            # Some platforms report errors with status 200, in `error` or in other fields next to `choices`.
            raise self.build_refusal(200, extra_fields or "no choices")
        choice = completion.choices[0]
        reason = classify_finish_reason(choice.finish_reason)
        if reason:
            raise self.build_failure(reason, f"finish_reason {choice.finish_reason}")
        text = _sanitize_text(choice.message.content)
        if not text and choice.message.refusal:
            raise self.build_failure(FailureReason.FILTERED, f"refusal: {choice.message.refusal}")
        if not text:  # reasoning_content is never scored
            raise self.build_failure(FailureReason.UNREADABLE, "an empty answer")
        return PlatformReply(text, _sanitize_text(completion.model))


@dataclass
class _LoopClients:
    """Clients of one event loop, one per endpoint. They share a connection pool: a new one per call costs 50 ms."""

    base_client: "openai.AsyncOpenAI"
    by_endpoint: "dict[_Endpoint, openai.AsyncOpenAI]" = field(default_factory=dict)

    def get_client(self, endpoint: _Endpoint) -> "openai.AsyncOpenAI":
        """Return the cached client; creating one is slow, because the SDK inspects the operating system."""
        if endpoint not in self.by_endpoint:
            if len(self.by_endpoint) >= MAX_CACHED_CLIENTS:  # endpoints that were changed
                self.by_endpoint.clear()
            self.by_endpoint[endpoint] = self.base_client.with_options(base_url=endpoint.base_url, api_key=endpoint.key)
        return self.by_endpoint[endpoint]


_clients_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClients] = WeakKeyDictionary()


async def _get_loop_clients() -> _LoopClients:
    loop = asyncio.get_running_loop()
    if loop not in _clients_by_loop:
        await asyncio.to_thread(importlib.import_module, "openai")  # importing it here would block the event loop
    if loop not in _clients_by_loop:
        import openai

        # Redirects could lead to any host.
        options: dict[str, Any] = {"verify": get_ssl_context(), "follow_redirects": False}
        base_client = openai.AsyncOpenAI(
            api_key="unset",
            base_url="http://unset.invalid",
            # asyncio limits the whole call, below; this one detects an unreachable host early.
            timeout=openai.Timeout(None, connect=PLATFORM_CONNECT_TIMEOUT_SECONDS),
            max_retries=0,  # running/calls.py retries: the SDK would sleep on Retry-After for up to 120 s
            http_client=restrict_hosts(openai.DefaultAsyncHttpxClient(**options), lambda: settings.OUTGOING_HOSTS),
        )
        _clients_by_loop[loop] = _LoopClients(base_client)
    return _clients_by_loop[loop]


async def ask_platform(platform: Platform, question: str, *, seed: int, timeout_seconds: float) -> PlatformReply:
    """Return the platform's reply to a question. Raises only CallFailed and CancelledError.

    seed: varies the answers of the demo platform; it is not sent to real platforms.
    """
    endpoint = _Endpoint.from_platform(platform)
    extra: dict[str, Any] = {"seed": seed} if platform.is_demo else {}
    clients = await _get_loop_clients()
    import openai
    from openai.types.chat import ChatCompletion

    try:
        # The SDK's own timeout applies to each read, so a slow stream would exceed it.
        with measure_call("platform"):
            async with asyncio.timeout(timeout_seconds):
                # `chat.completions.create` would spend a fifth of a call's CPU time on its forty parameters.
                completion = await clients.get_client(endpoint).post(
                    "/chat/completions",
                    body={"model": platform.model, "messages": [{"role": "user", "content": question}], **extra},
                    cast_to=ChatCompletion,
                )
        return endpoint.parse_completion(completion)
    except openai.APIStatusError as error:
        body = error.body if error.body is not None else error.response.text
        raise endpoint.build_refusal(error.status_code, body, error.response.headers) from error
    except TimeoutError as error:
        raise endpoint.build_failure(FailureReason.TIMEOUT, f"no answer in {timeout_seconds:g} s") from error
    except openai.APITimeoutError as error:
        raise endpoint.build_failure(FailureReason.TIMEOUT, repr(error.__cause__ or error)) from error
    except openai.APIConnectionError as error:  # base class of APITimeoutError
        if isinstance(error.__cause__, HostNotAllowed):
            raise endpoint.build_failure(FailureReason.KEY, error.__cause__) from error
        raise endpoint.build_failure(FailureReason.CONNECTION, repr(error.__cause__ or error)) from error
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        # Invalid JSON, a truncated body or an unexpected shape: the SDK does not wrap these errors.
        raise endpoint.build_failure(FailureReason.UNREADABLE, repr(error)) from error


def has_usable_key(platform: Platform) -> bool:
    """Return whether the platform's key is set and printable ASCII; the HTTP client would crash on another one."""
    # Stripped, because a trailing newline would look like a network error.
    key = os.environ.get(platform.key_variable, "").strip()
    return platform.is_demo or bool(key and key.isascii() and key.isprintable())


def _sanitize_text(text: Any) -> str:
    """Return text that PostgreSQL can store (no NUL, no lone surrogates), capped; "" for anything else."""
    return _strip_unstorable_characters(text).strip()[:MAX_ANSWER_CHARACTERS] if isinstance(text, str) else ""


def _strip_unstorable_characters(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


_SECRET_PATTERN = re.compile(r"(?:sk|ak|Bearer)[-_ ][A-Za-z0-9._-]{6,}|[A-Za-z0-9_-]{32,}(?:\.[A-Za-z0-9_-]+)*")


def redact_secrets(text: str, key: str = "") -> str:
    """Remove the key and anything that looks like one, since platforms may echo requests; capped and storable."""
    text = _strip_unstorable_characters(text)
    if key:
        text = text.replace(key, "***")
    return _SECRET_PATTERN.sub("***", text)[:400]
