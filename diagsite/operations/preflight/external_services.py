"""Checks of platforms and alert channels; only some of them use the network."""

import asyncio
from collections.abc import Iterator

from diagnosis.choices import CallPurpose, FailureReason
from diagnosis.exceptions import CallFailed, CallRefused
from diagnosis.models import Platform
from diagnosis.platforms.endpoint import has_usable_key
from diagnosis.replies import PlatformReply
from diagnosis.running.admission import Admission, Call
from diagnosis.running.calls import call_once
from diagnosis.running.health_check import PROBE_QUESTION, PROBE_TIMEOUT_SECONDS
from diagsite.operations.model_alerts import check_models
from diagsite.operations.preflight.results import FAILED, OK, WARNING, CheckFinding
from errors.terminal import gettext as _
from monitoring.delivery.channel_check import send_test_message
from monitoring.delivery.channel_secrets import decrypt_secrets
from monitoring.exceptions import DeliveryFailed, SecretsDecryptionFailed
from monitoring.models import Channel, Rule

_TRANSIENT_REASONS = (FailureReason.FILTERED, FailureReason.RATE, FailureReason.BUSY)


def check_keys() -> Iterator[CheckFinding]:
    """Check that every enabled platform has its key."""
    platforms = list(Platform.objects.filter(is_enabled=True))
    for platform in platforms:
        if not has_usable_key(platform):
            yield CheckFinding(
                FAILED,
                _("%(variable)s 没有设置可用的密钥") % {"variable": platform.key_variable or _("密钥的环境变量")},
                platform.pk,
            )
    real = [platform for platform in platforms if not platform.is_demo]
    if not real:
        # Not a failure: an operator may add the first platform in the admin, which this start makes available.
        yield CheckFinding(WARNING, _("没有启用任何真实平台；请设置密钥并运行 manage.py seed，或在后台添加一个"))
    elif all(map(has_usable_key, platforms)):
        yield CheckFinding(OK, _("%(count)d 个平台") % {"count": len(real)})


def check_platforms() -> Iterator[CheckFinding]:
    """Ask each enabled real platform a short question, concurrently."""
    platforms = list(Platform.objects.filter(is_enabled=True, is_demo=False))
    if not platforms:
        yield CheckFinding(WARNING, _("没有启用任何真实平台"))
        return

    async def ask_all() -> list[PlatformReply | BaseException]:
        admission = Admission()
        calls = (
            call_once(
                admission,
                Call(platform.pk, CallPurpose.PREFLIGHT, PROBE_QUESTION),
                timeout_seconds=platform.call_timeout_seconds if platform.has_search else PROBE_TIMEOUT_SECONDS,
            )
            for platform in platforms
        )
        replies = await asyncio.gather(*calls, return_exceptions=True)
        await admission.flush()
        return replies

    for platform, reply in zip(platforms, asyncio.run(ask_all()), strict=True):
        if isinstance(reply, CallFailed):
            is_fault = reply.reason in (FailureReason.KEY, FailureReason.CONFIG)
            is_expected = isinstance(reply, CallRefused) and not is_fault  # paused, no budget
            level = WARNING if is_expected or reply.reason in _TRANSIENT_REASONS else FAILED
            yield CheckFinding(level, f"{reply.reason.value}: {reply.detail[:160]}", platform.pk)
        elif isinstance(reply, BaseException):
            raise reply
        else:
            yield CheckFinding(OK, _("%(model)s 作了回答") % {"model": reply.model}, platform.pk)


def check_listed_models() -> Iterator[CheckFinding]:
    """Compare the models of the enabled real platforms with the platforms' lists and replies."""
    problems = check_models()
    for problem in problems:
        text = _("平台没有列出模型 %(model)s") if problem.is_missing else _("回答的不是模型 %(model)s")
        detail = text % {"model": problem.platform.model}
        yield CheckFinding(FAILED if problem.is_missing else WARNING, detail, problem.platform.pk)
    if not problems:
        yield CheckFinding(OK, _("就各平台提供的信息看，没有模型下线或被替换"))


def check_alerts() -> Iterator[CheckFinding]:
    """Check that rules are enabled, and a default channel whose secrets can be decrypted."""
    rules = Rule.objects.filter(is_enabled=True).count()
    channels = list(Channel.objects.filter(is_enabled=True))
    if not rules:
        yield CheckFinding(WARNING, _("没有启用任何告警规则"), "rules")
    if not any(channel.is_default for channel in channels):
        yield CheckFinding(WARNING, _("没有启用默认渠道，告警不会发出"), "channels")
    for channel in channels:
        try:
            decrypt_secrets(channel.secrets)
        except SecretsDecryptionFailed as error:
            yield CheckFinding(FAILED, str(error), channel.name)
    yield CheckFinding(OK, _("%(rules)d 条规则，%(channels)d 个渠道") % {"rules": rules, "channels": len(channels)})


def check_channels() -> Iterator[CheckFinding]:
    """Send a test message through each enabled channel."""
    channels = list(Channel.objects.filter(is_enabled=True))
    for channel in channels:
        try:
            code = send_test_message(channel, "preflight")
        except DeliveryFailed as failure:
            yield CheckFinding(FAILED, str(failure)[:200], channel.name)
        else:
            yield CheckFinding(OK, _("已发送（%(code)s）") % {"code": code}, channel.name)
    if not channels:
        yield CheckFinding(WARNING, _("没有启用任何渠道"))
