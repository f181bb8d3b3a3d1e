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

from diagnosis.choices import Reason
from diagnosis.exceptions import CallFailed
from diagnosis.failures import Refusal, reason_of, reason_of_finish, wait_seconds_of
from diagnosis.models import Platform
from performance.doors import AddressRefused, certificates, guard
from performance.outgoing import measured_call

if TYPE_CHECKING:
    import openai

MOST_ANSWER_CHARACTERS = 20_000
CONNECT_SECONDS = 10
MOST_CLIENTS = 100


@dataclass(frozen=True)
class Reply:
    """A valid answer: its text, and the model that says it gave it."""

    text: str
    model: str


@dataclass(frozen=True)
class _Access:
    """Where a platform is and the key to it; it words every failure, so that none of them tells the key."""

    base_url: str
    key: str

    def failed(self, reason: Reason, detail: object, wait_seconds: float | None = None) -> CallFailed:
        return CallFailed(reason, redact(str(detail), self.key), wait_seconds=wait_seconds)

    def refused(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> CallFailed:
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        refusal = Refusal(status, body, lower, urlsplit(self.base_url).hostname or "")
        return self.failed(reason_of(refusal), f"HTTP {status}: {body}", wait_seconds_of(refusal))


@dataclass
class _Clients:
    """Those of one event loop: one connection pool, as one per call costs 50 ms, and a client per address and key."""

    shared: "openai.AsyncOpenAI"
    known: "dict[_Access, openai.AsyncOpenAI]" = field(default_factory=dict)

    def client_of(self, access: _Access) -> "openai.AsyncOpenAI":
        """Kept, as each new one asks anew what system it runs on."""
        if access not in self.known:
            if len(self.known) >= MOST_CLIENTS:  # of addresses and keys that were changed
                self.known.clear()
            self.known[access] = self.shared.with_options(base_url=access.base_url, api_key=access.key)
        return self.known[access]


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = WeakKeyDictionary()


async def _clients_here() -> _Clients:
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        await asyncio.to_thread(importlib.import_module, "openai")  # or the loop would stand still meanwhile
    if loop not in _clients:
        import openai

        # Redirects could lead to any host.
        options: dict[str, Any] = {"verify": certificates(), "follow_redirects": False}
        shared = openai.AsyncOpenAI(
            api_key="unset",
            base_url="http://unset.invalid",
            # The one limit over a whole call is asyncio's, below; this one tells early that nobody is there.
            timeout=openai.Timeout(None, connect=CONNECT_SECONDS),
            max_retries=0,  # retries are ours (diagnosis/asking.py): the SDK would sleep on Retry-After for up to 120 s
            http_client=guard(openai.DefaultAsyncHttpxClient(**options), _allowed_hosts),
        )
        _clients[loop] = _Clients(shared)
    return _clients[loop]


def _allowed_hosts() -> list[str]:
    return settings.OUTGOING_HOSTS


async def ask(platform: Platform, question: str, *, seed: int, timeout_seconds: float) -> Reply:
    """The platform's answer to a question, within the time limit. Raises CallFailed, and nothing else but cancellation.

    seed: makes the demo platform's answers differ from call to call; real platforms are not sent it.
    """
    access = _Access(_address(platform), _key(platform))
    extra: dict[str, Any] = {"seed": seed} if platform.is_demo else {}
    clients = await _clients_here()
    import openai
    from openai.types.chat import ChatCompletion

    try:
        # The SDK's own timeout is per read: a drip-feed would outlive it.
        with measured_call("platform"):
            async with asyncio.timeout(timeout_seconds):
                # `chat.completions.create` takes a fifth of a call's processor time to walk its forty parameters.
                completion = await clients.client_of(access).post(
                    "/chat/completions",
                    body={"model": platform.model, "messages": [{"role": "user", "content": question}], **extra},
                    cast_to=ChatCompletion,
                )
        return _reply_in(completion, access)
    except openai.APIStatusError as error:
        body = error.body if error.body is not None else error.response.text
        raise access.refused(error.status_code, body, error.response.headers) from error
    except TimeoutError as error:
        raise access.failed(Reason.TIMEOUT, f"no answer in {timeout_seconds:g} s") from error
    except openai.APITimeoutError as error:
        raise access.failed(Reason.TIMEOUT, repr(error.__cause__ or error)) from error
    except openai.APIConnectionError as error:  # of which the one before is a kind
        if isinstance(error.__cause__, AddressRefused):
            raise access.failed(Reason.KEY, error.__cause__) from error
        raise access.failed(Reason.CONNECTION, repr(error.__cause__ or error)) from error
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        # Bad JSON, half a body, a shape that is none: the SDK lets these through as they are.
        raise access.failed(Reason.UNREADABLE, repr(error)) from error


def _address(platform: Platform) -> str:
    base_url = platform.base_url or (settings.DEMO_BASE_URL if platform.is_demo else "")
    try:
        parts = urlsplit(base_url)
        is_address = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is no number
        is_address = False
    if not is_address:
        raise CallFailed(Reason.KEY, "the platform's base URL is not an address")
    if parts.hostname not in settings.OUTGOING_HOSTS:
        raise CallFailed(Reason.KEY, f"{parts.hostname} is not in OUTGOING_HOSTS")
    return base_url


def _key(platform: Platform) -> str:
    if not has_usable_key(platform):
        raise CallFailed(Reason.KEY, f"{platform.key_variable or 'the key variable'} is not set to a usable key")
    return "demo" if platform.is_demo else os.environ[platform.key_variable].strip()


def has_usable_key(platform: Platform) -> bool:
    """Whether the platform's key is there: a non-ASCII one would crash the HTTP client in mid-call."""
    # A trailing newline, which would look like a network error, is taken off before use.
    key = os.environ.get(platform.key_variable, "").strip()
    return platform.is_demo or bool(key and key.isascii() and key.isprintable())


def _reply_in(completion: Any, access: _Access) -> Reply:
    """What the SDK takes for success need not be one: HTML, an error in a 200, no text, a filtered answer."""
    from openai.types.chat import ChatCompletion

    if not isinstance(completion, ChatCompletion):
        raise access.failed(Reason.UNREADABLE, f"not a completion: {completion}")
    beside = completion.model_extra or {}
    if beside.get("error") or not completion.choices:
        # Some say what is wrong in a 200, in `error` or beside where the choices should be.
        raise access.refused(200, beside or "no choices")
    choice = completion.choices[0]
    reason = reason_of_finish(choice.finish_reason)
    if reason:
        raise access.failed(reason, f"finish_reason {choice.finish_reason}")
    text = _clean(choice.message.content)
    if not text and choice.message.refusal:
        raise access.failed(Reason.FILTERED, f"refusal: {choice.message.refusal}")
    if not text:  # reasoning_content is never scored
        raise access.failed(Reason.UNREADABLE, "an empty answer")
    return Reply(text, _clean(completion.model))


def _clean(text: Any) -> str:
    """What PostgreSQL can store: no NUL, no lone surrogates; capped."""
    return _storable(text).strip()[:MOST_ANSWER_CHARACTERS] if isinstance(text, str) else ""


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


_SECRETS = re.compile(r"(?:sk|ak|Bearer)[-_ ][A-Za-z0-9._-]{6,}|[A-Za-z0-9_-]{32,}(?:\.[A-Za-z0-9_-]+)*")


def redact(text: str, key: str = "") -> str:
    """Without the key and whatever looks like one: platforms like to echo what they were sent. Short and storable."""
    text = _storable(text)
    if key:
        text = text.replace(key, "***")
    return _SECRETS.sub("***", text)[:400]
