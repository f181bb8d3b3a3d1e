"""Calls to platforms, step by step. Every failure becomes a CallFailed with its reason."""

import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

from diagnosis.choices import FailureReason, PlatformSurface, Thinking, WireProtocol
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.endpoint import Endpoint
from diagnosis.platforms.protocols.base import CallProfile, Protocol, StepKind, StepRequest, StepResponse, Steps
from diagnosis.platforms.protocols.registry import PROTOCOLS
from diagnosis.platforms.redirects import resolve_redirects
from diagnosis.platforms.transport import PlatformRequest, PlatformResponse, TransportError, send
from diagnosis.replies import PlatformReply, Usage

SETUP_CACHE_SECONDS = 3600
MAX_CACHED_SETUPS = 50

_setups: dict[tuple[str, str], tuple[float, StepResponse]] = {}


def get_protocol(platform: Platform) -> Protocol:
    """Return the protocol of a platform. Raises CallFailed if its row names none that exists."""
    protocol = PROTOCOLS.get(platform.protocol)
    if protocol is None:
        raise CallFailed(FailureReason.CONFIG, f"there is no protocol {platform.protocol[:50]}")
    return protocol


def build_profile(platform: Platform, base_url: str = "", *, seed: int | None = None) -> CallProfile:
    """Return what a platform's row says about its calls. seed: used for the demo platform only."""
    return CallProfile(
        base_url or platform.base_url,
        platform.model,
        PlatformSurface(platform.surface),
        Thinking(platform.thinking),
        platform.country,
        platform.max_answer_tokens,
        platform.search_options,
        platform.extra_body,
        seed if platform.is_demo else None,
    )


@dataclass(frozen=True)
class CallProgress:
    """The responses that a call has received, without the key, to continue it with the same question and parameters.

    seed: of the first step, for the demo platform; later ones belong to the same answer.
    """

    parameters: str = ""
    seed: int | None = None
    responses: tuple[StepResponse, ...] = ()


@dataclass
class PlatformCall:
    """A call of one or more paid steps. A step that failed can be taken again; earlier ones are not repeated.

    progress: the steps so far, of this process or an earlier one; dropped if the platform's row has changed since.
    usage: what the last step consumed, None if that is unknown. exchanges: every request with its response, without the
    key; a request without a response has None.
    """

    platform: Platform
    question: str
    progress: CallProgress = field(default_factory=CallProgress)
    usage: Usage | None = None
    exchanges: list[tuple[StepRequest, StepResponse | None]] = field(default_factory=list)

    async def take_step(self, *, seed: int, timeout_seconds: float) -> PlatformReply | None:
        """Make the next paid request; return the reply, or None if another step must follow.

        Raises only CallFailed and CancelledError.
        """
        self.usage = None
        endpoint = Endpoint.from_platform(self.platform)
        protocol = get_protocol(self.platform)
        profile = build_profile(self.platform, endpoint.base_url, seed=seed)
        try:
            parameters = f"{profile.surface}:{protocol.compute_params_hash(profile)}"
            if self.progress.parameters != parameters:
                self.progress = CallProgress(parameters)
            if self.progress.seed is not None:
                profile = replace(profile, seed=self.progress.seed)
            steps, request = self._resume(protocol, profile)
            while request.kind == StepKind.SETUP:
                request = self._advance(steps, endpoint, await _get_setup(endpoint, protocol, request, timeout_seconds))
            self.exchanges.append((request, None))
            response = await _send_step(endpoint, protocol, request, timeout_seconds)
            self.exchanges[-1] = (request, response)
            if 200 <= response.status < 300:
                self.usage = _complete_usage(protocol.parse_usage(response.body), profile)
            self._advance(steps, endpoint, response)
            self.progress = replace(self.progress, seed=profile.seed)
        except StopIteration as stop:
            return await _complete_reply(stop.value, self.platform, endpoint, profile)
        except CallFailed as failure:
            raise endpoint.build_failure(
                failure.reason, failure.detail, wait_seconds=failure.wait_seconds, usage=self.usage
            ) from failure
        except RecursionError as error:
            raise endpoint.build_failure(FailureReason.UNREADABLE, "a body nested too deeply") from error
        return None

    def _resume(self, protocol: Protocol, profile: CallProfile) -> tuple[Steps, StepRequest]:
        """Return the steps after the responses that were received, with their next request.

        Responses that this version of the protocol does not accept are dropped.
        """
        steps = protocol.run(profile, self.question)
        request = next(steps)
        try:
            for response in self.progress.responses:
                request = steps.send(response)
        except (StopIteration, CallFailed):
            self.progress = replace(self.progress, responses=())
            steps = protocol.run(profile, self.question)
            request = next(steps)
        return steps, request

    def _advance(self, steps: Steps, endpoint: Endpoint, response: StepResponse) -> StepRequest:
        request = steps.send(response)
        kept = replace(response, body=endpoint.remove_key(response.body))
        self.progress = replace(self.progress, responses=(*self.progress.responses, kept))
        return request


def _complete_usage(usage: Usage, profile: CallProfile) -> Usage:
    """Return the usage; without a search tool no search can have been bought."""
    return usage if profile.has_search or usage.searches is not None else replace(usage, searches=0)


async def _complete_reply(
    reply: PlatformReply, platform: Platform, endpoint: Endpoint, profile: CallProfile
) -> PlatformReply:
    """Add what was asked for, follow redirects of sources, and remove the key from the raw bodies."""
    protocol = get_protocol(platform)
    return replace(
        reply,
        sources=await resolve_redirects(reply.sources, protocol.redirect_hosts),
        raw=tuple(endpoint.remove_key(reply.raw)),
        protocol=WireProtocol(protocol.name),
        surface=profile.surface,
        requested_model=profile.model,
        params_hash=protocol.compute_params_hash(profile),
    )


async def _get_setup(
    endpoint: Endpoint, protocol: Protocol, request: StepRequest, timeout_seconds: float
) -> StepResponse:
    """Return the response of a free request that is the same for every question, from memory if it is known."""
    cache_key = (request.url, endpoint.key)
    known = _setups.get(cache_key)
    if known and known[0] > time.monotonic():
        return known[1]
    response = await _send_step(endpoint, protocol, request, timeout_seconds)
    if response.status == 200:
        if len(_setups) >= MAX_CACHED_SETUPS:
            _setups.clear()
        _setups[cache_key] = (time.monotonic() + SETUP_CACHE_SECONDS, response)
    return response


async def _send_step(
    endpoint: Endpoint, protocol: Protocol, request: StepRequest, timeout_seconds: float
) -> StepResponse:
    """Send a request with its key. Raises CallFailed if there is no response."""
    headers = {**protocol.build_auth_headers(endpoint.key), **request.headers, "Content-Type": "application/json"}
    body = b"" if request.body is None else json.dumps(request.body).encode()
    try:
        response = await send(
            PlatformRequest(request.method, request.url, headers, body), timeout_seconds=timeout_seconds
        )
    except TransportError as error:
        raise CallFailed(error.reason, str(error)) from error
    return StepResponse(response.status, _parse_body(response), response.headers)


def _parse_body(response: PlatformResponse) -> Any:
    """Return the parsed JSON, else the text."""
    try:
        return json.loads(response.body)  # unlike orjson it accepts lone surrogates, which platforms do send
    except ValueError:  # also invalid UTF-8
        return response.body.decode("utf-8", "replace")
