"""What is reached over the network: the platforms and the alert channels; asked only when told to."""

import asyncio
from collections.abc import Iterator

from django.conf import settings

from diagnosis.choices import Reason
from diagnosis.client import ask, has_usable_key
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.probing import QUESTION, TIMEOUT_SECONDS
from diagsite.preflight.results import FAILED, OK, WARNING, Finding
from monitoring.exceptions import DeliveryFailed, SecretsUnreadable
from monitoring.models import Channel, Rule
from monitoring.secrets import decrypt_secrets
from monitoring.trying import try_channel


def check_keys() -> Iterator[Finding]:
    """Every enabled platform has its key."""
    platforms = list(Platform.objects.filter(is_enabled=True))
    for platform in platforms:
        if not has_usable_key(platform):
            yield Finding(
                FAILED, f"{platform.key_variable or 'its key variable'} is not set to a usable key", platform.pk
            )
    real = [platform for platform in platforms if not platform.is_demo]
    if not real:
        detail = "no real platform is enabled: set a key, then run manage.py seed"
        yield Finding(FAILED if settings.PRODUCTION and not settings.DEMO else WARNING, detail)
    elif all(map(has_usable_key, platforms)):
        yield Finding(OK, f"{len(real)} platforms")


def check_platforms() -> Iterator[Finding]:
    """One cheap question to each enabled real platform, all at once."""
    platforms = list(Platform.objects.filter(is_enabled=True, is_demo=False))
    yield from asyncio.run(_ask_all(platforms)) if platforms else [Finding(WARNING, "no real platform is enabled")]


async def _ask_all(platforms: list[Platform]) -> list[Finding]:
    return await asyncio.gather(*map(_ask, platforms))


async def _ask(platform: Platform) -> Finding:
    try:
        reply = await ask(platform, QUESTION, seed=0, timeout_seconds=TIMEOUT_SECONDS)
    except CallFailed as failure:
        level = WARNING if failure.reason in (Reason.FILTERED, Reason.RATE, Reason.BUSY) else FAILED
        return Finding(level, f"{failure.reason.value}: {failure.detail[:160]}", platform.pk)
    return Finding(OK, f"{reply.model} answered", platform.pk)


def check_alerts() -> Iterator[Finding]:
    """Somebody would be told: rules are on, and a default channel is there whose secrets can be read."""
    rules = Rule.objects.filter(is_enabled=True).count()
    channels = list(Channel.objects.filter(is_enabled=True))
    if not rules:
        yield Finding(WARNING, "no alert rule is enabled", "rules")
    if not any(channel.is_default for channel in channels):
        yield Finding(WARNING, "no channel is enabled and default: alerts reach nobody", "channels")
    for channel in channels:
        try:
            decrypt_secrets(channel.secrets)
        except SecretsUnreadable as error:
            yield Finding(FAILED, str(error), channel.name)
    yield Finding(OK, f"{rules} rules, {len(channels)} channels")


def check_channels() -> Iterator[Finding]:
    """A test message through each enabled channel."""
    channels = list(Channel.objects.filter(is_enabled=True))
    for channel in channels:
        try:
            code = try_channel(channel, "preflight")
        except DeliveryFailed as failure:
            yield Finding(FAILED, str(failure)[:200], channel.name)
        else:
            yield Finding(OK, f"sent ({code})", channel.name)
    if not channels:
        yield Finding(WARNING, "there is no channel to try")
