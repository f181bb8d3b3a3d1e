"""Ask one platform one question. Every way in which that can fail becomes a CallFailed with its reason.

The SDK is loaded at the first question: it takes half as long as all the rest of the site, and few processes ask.
"""

import asyncio
import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
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
    """A valid answer: its text, and the model that says it gave it."""

    text: str
    model: str


@dataclass(frozen=True)
class _Endpoint:
    """Where a platform is and the key to it; it words every failure, so that none of them tells the key."""

    base_url: str
    key: str

    def build_failure(self, reason: FailureReason, detail: object, wait_seconds: float | None = None) -> CallFailed:
        return CallFailed(reason, redact_secrets(str(detail), self.key), wait_seconds=wait_seconds)

    def build_refusal(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> CallFailed:
        lowercase_headers = {name.lower(): value for name, value in (headers or {}).items()}
        response = ErrorResponse(status, body, lowercase_headers, urlsplit(self.base_url).hostname or "")
        return self.build_failure(
            classify_error_response(response), f"HTTP {status}: {body}", get_platform_wait_seconds(response)
        )


@dataclass
class _LoopClients:
    """Those of one event loop: one connection pool, as one per call costs 50 ms, and a client per address and key."""

    base_client: "openai.AsyncOpenAI"
    by_endpoint: "dict[_Endpoint, openai.AsyncOpenAI]" = field(default_factory=dict)

    def get_client(self, endpoint: _Endpoint) -> "openai.AsyncOpenAI":
        """Kept, as each new one asks anew what system it runs on."""
        if endpoint not in self.by_endpoint:
            if len(self.by_endpoint) >= MAX_CACHED_CLIENTS:  # of addresses and keys that were changed
                self.by_endpoint.clear()
            self.by_endpoint[endpoint] = self.base_client.with_options(base_url=endpoint.base_url, api_key=endpoint.key)
        return self.by_endpoint[endpoint]


_clients_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClients] = WeakKeyDictionary()


async def _get_loop_clients() -> _LoopClients:
    loop = asyncio.get_running_loop()
    if loop not in _clients_by_loop:
        await asyncio.to_thread(importlib.import_module, "openai")  # or the loop would stand still meanwhile
    if loop not in _clients_by_loop:
        import openai

        # Redirects could lead to any host.
        options: dict[str, Any] = {"verify": get_ssl_context(), "follow_redirects": False}
        base_client = openai.AsyncOpenAI(
            api_key="unset",
            base_url="http://unset.invalid",
            # The one limit over a whole call is asyncio's, below; this one tells early that nobody is there.
            timeout=openai.Timeout(None, connect=PLATFORM_CONNECT_TIMEOUT_SECONDS),
            max_retries=0,  # running/calls.py retries: the SDK would sleep on Retry-After for up to 120 s
            http_client=restrict_hosts(openai.DefaultAsyncHttpxClient(**options), _get_allowed_hosts),
        )
        _clients_by_loop[loop] = _LoopClients(base_client)
    return _clients_by_loop[loop]


def _get_allowed_hosts() -> list[str]:
    return settings.OUTGOING_HOSTS


async def ask_platform(platform: Platform, question: str, *, seed: int, timeout_seconds: float) -> PlatformReply:
    """The platform's answer to a question, within the time limit. Raises CallFailed, and nothing else but cancellation.

    seed: makes the demo platform's answers differ from call to call; real platforms are not sent it.
    """
    endpoint = _Endpoint(_get_base_url(platform), _get_api_key(platform))
    extra: dict[str, Any] = {"seed": seed} if platform.is_demo else {}
    clients = await _get_loop_clients()
    import openai
    from openai.types.chat import ChatCompletion

    try:
        # The SDK's own timeout is per read: a drip-feed would outlive it.
        with measure_call("platform"):
            async with asyncio.timeout(timeout_seconds):
                # `chat.completions.create` takes a fifth of a call's processor time to walk its forty parameters.
                completion = await clients.get_client(endpoint).post(
                    "/chat/completions",
                    body={"model": platform.model, "messages": [{"role": "user", "content": question}], **extra},
                    cast_to=ChatCompletion,
                )
        return _parse_completion(completion, endpoint)
    except openai.APIStatusError as error:
        body = error.body if error.body is not None else error.response.text
        raise endpoint.build_refusal(error.status_code, body, error.response.headers) from error
    except TimeoutError as error:
        raise endpoint.build_failure(FailureReason.TIMEOUT, f"no answer in {timeout_seconds:g} s") from error
    except openai.APITimeoutError as error:
        raise endpoint.build_failure(FailureReason.TIMEOUT, repr(error.__cause__ or error)) from error
    except openai.APIConnectionError as error:  # of which the one before is a kind
        if isinstance(error.__cause__, HostNotAllowed):
            raise endpoint.build_failure(FailureReason.KEY, error.__cause__) from error
        raise endpoint.build_failure(FailureReason.CONNECTION, repr(error.__cause__ or error)) from error
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        # Bad JSON, half a body, a shape that is none: the SDK lets these through as they are.
        raise endpoint.build_failure(FailureReason.UNREADABLE, repr(error)) from error


def _get_base_url(platform: Platform) -> str:
    base_url = platform.base_url or (settings.DEMO_BASE_URL if platform.is_demo else "")
    try:
        parts = urlsplit(base_url)
        is_valid_url = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is no number
        is_valid_url = False
    if not is_valid_url:
        raise CallFailed(FailureReason.KEY, "the platform's base URL is not an address")
    if parts.hostname not in settings.OUTGOING_HOSTS:
        raise CallFailed(FailureReason.KEY, f"{parts.hostname} is not in OUTGOING_HOSTS")
    return base_url


def _get_api_key(platform: Platform) -> str:
    if not has_usable_key(platform):
        raise CallFailed(FailureReason.KEY, f"{platform.key_variable or 'the key variable'} is not set to a usable key")
    return "demo" if platform.is_demo else os.environ[platform.key_variable].strip()


def has_usable_key(platform: Platform) -> bool:
    """Whether the platform's key is there: a non-ASCII one would crash the HTTP client in mid-call."""
    # A trailing newline, which would look like a network error, is taken off before use.
    key = os.environ.get(platform.key_variable, "").strip()
    return platform.is_demo or bool(key and key.isascii() and key.isprintable())


def _parse_completion(completion: Any, endpoint: _Endpoint) -> PlatformReply:
    """What the SDK takes for success need not be one: HTML, an error in a 200, no text, a filtered answer."""
    from openai.types.chat import ChatCompletion

    if not isinstance(completion, ChatCompletion):
        raise endpoint.build_failure(FailureReason.UNREADABLE, f"not a completion: {completion}")
    extra_fields = completion.model_extra or {}
    if extra_fields.get("error") or not completion.choices:
        # Some say what is wrong in a 200, in `error` or beside where the choices should be.
        raise endpoint.build_refusal(200, extra_fields or "no choices")
    choice = completion.choices[0]
    reason = classify_finish_reason(choice.finish_reason)
    if reason:
        raise endpoint.build_failure(reason, f"finish_reason {choice.finish_reason}")
    text = _sanitize_text(choice.message.content)
    if not text and choice.message.refusal:
        raise endpoint.build_failure(FailureReason.FILTERED, f"refusal: {choice.message.refusal}")
    if not text:  # reasoning_content is never scored
        raise endpoint.build_failure(FailureReason.UNREADABLE, "an empty answer")
    return PlatformReply(text, _sanitize_text(completion.model))


def _sanitize_text(text: Any) -> str:
    """What PostgreSQL can store: no NUL, no lone surrogates; capped."""
    return _strip_unstorable_characters(text).strip()[:MAX_ANSWER_CHARACTERS] if isinstance(text, str) else ""


def _strip_unstorable_characters(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


_SECRET_PATTERN = re.compile(r"(?:sk|ak|Bearer)[-_ ][A-Za-z0-9._-]{6,}|[A-Za-z0-9_-]{32,}(?:\.[A-Za-z0-9_-]+)*")


def redact_secrets(text: str, key: str = "") -> str:
    """Without the key and whatever looks like one: platforms like to echo what they were sent. Short and storable."""
    text = _strip_unstorable_characters(text)
    if key:
        text = text.replace(key, "***")
    return _SECRET_PATTERN.sub("***", text)[:400]
