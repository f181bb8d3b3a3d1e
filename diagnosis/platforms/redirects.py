"""Follow the redirects that a platform gives instead of the addresses of its sources: they expire."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import structlog

from diagnosis.platforms.protocols.urls import MAX_URL_CHARACTERS, clean_url
from diagnosis.platforms.transport import PlatformRequest, TransportError, send
from diagnosis.replies import ReplySource

log = structlog.get_logger(__name__)

REDIRECT_TIMEOUT_SECONDS = 8.0
MAX_CONCURRENT_REDIRECTS = 8
MAX_TOTAL_SECONDS = 20.0  # the answer is there already


async def resolve_redirects(sources: Iterable[ReplySource], hosts: Collection[str]) -> tuple[ReplySource, ...]:
    """Return the sources with `final_url` where their address is a redirect of one of the hosts.

    Only the redirect itself is requested, through the SSRF guard; the page that it names is not. A redirect that
    cannot be followed keeps its address.
    """
    listed = tuple(sources)
    redirects = {source.url for source in listed if hosts and urlsplit(clean_url(source.url)).hostname in hosts}
    if not redirects:
        return listed
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_REDIRECTS)
    targets: dict[str, str] = {}

    async def resolve(url: str) -> None:
        async with semaphore:
            targets[url] = await _get_location(url)

    try:
        async with asyncio.timeout(MAX_TOTAL_SECONDS), asyncio.TaskGroup() as group:
            for url in redirects:
                group.create_task(resolve(url))
    except TimeoutError:
        log.warning("redirects_timed_out", resolved=len(targets), of=len(redirects))
    return tuple(replace(source, final_url=targets.get(source.url, "")) for source in listed)


async def _get_location(url: str) -> str:
    """Return where an address redirects to, or ""."""
    try:
        response = await send(PlatformRequest("GET", url, {}, b""), timeout_seconds=REDIRECT_TIMEOUT_SECONDS)
    except TransportError as error:
        log.warning("redirect_failed", host=urlsplit(url).hostname, error=str(error)[:200])
        return ""
    location = response.headers.get("location", "")
    if not 300 <= response.status < 400 or not location or len(location) > MAX_URL_CHARACTERS:
        return ""
    return clean_url(urljoin(url, location))
