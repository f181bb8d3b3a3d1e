"""What is reached over the network: the platforms and the alert channels; asked only when told to."""

import asyncio
from collections.abc import Iterator

from django.conf import settings

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.health_check import PROBE_QUESTION, PROBE_TIMEOUT_SECONDS
from diagnosis.platforms.openai_client import ask_platform, has_usable_key
from diagsite.operations.preflight.results import FAILED, OK, WARNING, CheckFinding
from monitoring.delivery.channel_check import send_test_message
from monitoring.delivery.channel_secrets import decrypt_secrets
from monitoring.exceptions import DeliveryFailed, SecretsDecryptionFailed
from monitoring.models import Channel, Rule


def check_keys() -> Iterator[CheckFinding]:
    """Every enabled platform has its key."""
    platforms = list(Platform.objects.filter(is_enabled=True))
    for platform in platforms:
        if not has_usable_key(platform):
            yield CheckFinding(
                FAILED, f"{platform.key_variable or 'its key variable'} is not set to a usable key", platform.pk
            )
    real = [platform for platform in platforms if not platform.is_demo]
    if not real:
        detail = "no real platform is enabled: set a key, then run manage.py seed"
        yield CheckFinding(FAILED if settings.PRODUCTION and not settings.DEMO else WARNING, detail)
    elif all(map(has_usable_key, platforms)):
        yield CheckFinding(OK, f"{len(real)} platforms")


def check_platforms() -> Iterator[CheckFinding]:
    """One cheap question to each enabled real platform, all at once."""
    platforms = list(Platform.objects.filter(is_enabled=True, is_demo=False))
    yield from (
        asyncio.run(_probe_platforms(platforms))
        if platforms
        else [CheckFinding(WARNING, "no real platform is enabled")]
    )


async def _probe_platforms(platforms: list[Platform]) -> list[CheckFinding]:
    return await asyncio.gather(*map(_probe_platform, platforms))


async def _probe_platform(platform: Platform) -> CheckFinding:
    try:
        reply = await ask_platform(platform, PROBE_QUESTION, seed=0, timeout_seconds=PROBE_TIMEOUT_SECONDS)
    except CallFailed as failure:
        level = (
            WARNING if failure.reason in (FailureReason.FILTERED, FailureReason.RATE, FailureReason.BUSY) else FAILED
        )
        return CheckFinding(level, f"{failure.reason.value}: {failure.detail[:160]}", platform.pk)
    return CheckFinding(OK, f"{reply.model} answered", platform.pk)


def check_alerts() -> Iterator[CheckFinding]:
    """Somebody would be told: rules are on, and a default channel is there whose secrets can be read."""
    rules = Rule.objects.filter(is_enabled=True).count()
    channels = list(Channel.objects.filter(is_enabled=True))
    if not rules:
        yield CheckFinding(WARNING, "no alert rule is enabled", "rules")
    if not any(channel.is_default for channel in channels):
        yield CheckFinding(WARNING, "no channel is enabled and default: alerts reach nobody", "channels")
    for channel in channels:
        try:
            decrypt_secrets(channel.secrets)
        except SecretsDecryptionFailed as error:
            yield CheckFinding(FAILED, str(error), channel.name)
    yield CheckFinding(OK, f"{rules} rules, {len(channels)} channels")


def check_channels() -> Iterator[CheckFinding]:
    """A test message through each enabled channel."""
    channels = list(Channel.objects.filter(is_enabled=True))
    for channel in channels:
        try:
            code = send_test_message(channel, "preflight")
        except DeliveryFailed as failure:
            yield CheckFinding(FAILED, str(failure)[:200], channel.name)
        else:
            yield CheckFinding(OK, f"sent ({code})", channel.name)
    if not channels:
        yield CheckFinding(WARNING, "there is no channel to try")
