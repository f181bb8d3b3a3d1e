"""A paused platform is healthy again only after a successful probe."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnosis.api.serializers import serialize_platform
from diagnosis.choices import FailureReason
from diagnosis.models import Platform
from diagnosis.running import state_machine
from diagnosis.running.health_check import probe_paused_platforms
from testing.data.diagnoses import make_diagnosis, make_platform
from testing.fakes.platform import FakePlatform, respond_with_answer, respond_with_error

pytestmark = pytest.mark.django_db(transaction=True)


def paused(fake: FakePlatform, *, minutes: float = -1, reason: str = FailureReason.QUOTA, **columns: Any) -> Platform:
    """Pause it until this many minutes from now."""
    until = timezone.now() + timedelta(minutes=minutes)
    return make_platform(base_url=fake.base_url, paused_until=until, pause_reason=reason, **columns)


def after_probe(platform: Platform) -> tuple[int, Platform]:
    probed = asyncio.run(probe_paused_platforms())
    platform.refresh_from_db()
    return probed, platform


def test_platform_is_unhealthy_until_a_probe_succeeds(fake: FakePlatform) -> None:
    fake.set_behaviour(respond_with_answer("好"))
    platform = paused(fake)
    assert serialize_platform(platform)["healthy"] is False
    probed, platform = after_probe(platform)
    assert (probed, fake.count()) == (1, 1)
    assert (platform.paused_until, platform.pause_reason) == (None, "")
    assert serialize_platform(platform)["healthy"] is True


@pytest.mark.parametrize(
    ("behaviour", "reason", "minutes"),
    [
        (respond_with_error(402), FailureReason.QUOTA, 60),
        (respond_with_error(401), FailureReason.KEY, 10),
        (respond_with_error(503), FailureReason.BUSY, 1),
    ],
)
def test_failed_probe_extends_the_pause_with_its_reason(
    fake: FakePlatform, behaviour: Any, reason: FailureReason, minutes: int
) -> None:
    fake.set_behaviour(behaviour)
    _, platform = after_probe(paused(fake))
    assert platform.pause_reason == reason
    assert platform.paused_until
    left = (platform.paused_until - timezone.now()).total_seconds() / 60
    assert minutes - 0.5 < left <= minutes
    assert serialize_platform(platform)["healthy"] is False


@pytest.mark.parametrize("columns", [{"minutes": 5}, {"is_demo": True}, {"is_enabled": False}, {"reason": ""}])
def test_only_due_platforms_are_probed(fake: FakePlatform, columns: dict[str, Any]) -> None:
    fake.set_behaviour(respond_with_answer())
    probed, _ = after_probe(paused(fake, **columns))
    assert (probed, fake.count()) == (0, 0)


def test_concurrent_workers_probe_once(fake: FakePlatform) -> None:
    fake.set_behaviour(respond_with_answer(delay_seconds=0.2))
    paused(fake)

    async def both() -> int:
        return sum(await asyncio.gather(probe_paused_platforms(), probe_paused_platforms()))

    assert asyncio.run(both()) == 1
    assert fake.count() == 1


def test_change_by_an_operator_during_a_probe_is_kept(fake: FakePlatform) -> None:
    fake.set_behaviour(respond_with_answer(delay_seconds=0.5))
    platform = paused(fake)

    async def probe_while_an_operator_pauses() -> None:
        probe = asyncio.create_task(probe_paused_platforms())
        while not fake.count():
            await asyncio.sleep(0.01)
        later = timezone.now() + timedelta(days=1)
        await Platform.objects.filter(pk=platform.pk).aupdate(paused_until=later)
        await probe

    asyncio.run(probe_while_an_operator_pauses())
    platform.refresh_from_db()
    assert serialize_platform(platform)["healthy"] is False


@pytest.mark.parametrize("minutes", [61, 7 * 24 * 60])
@pytest.mark.parametrize("reason", [FailureReason.OPERATOR, ""])
def test_longer_pause_is_never_shortened(
    owner: AbstractUser, fake: FakePlatform, minutes: float, reason: str, admin_client: Client
) -> None:
    """An operator pauses while a run is calling; then the run, the probe and the admin's action pause again."""
    fake.set_behaviour(respond_with_error(401))
    platform = paused(fake, minutes=minutes, reason=reason)
    until = platform.paused_until
    Platform.objects.update(paused_until=None)
    diagnosis = make_diagnosis(owner, [platform])
    run = state_machine.begin_run(diagnosis.pk)
    assert run
    Platform.objects.update(paused_until=until)
    for failure in (FailureReason.KEY, FailureReason.QUOTA):
        state_machine.pause_platform(run, platform, failure)
    probed, platform = after_probe(platform)
    action = {"action": "pause", "_selected_action": [platform.pk]}
    admin_client.post(reverse("admin:diagnosis_platform_changelist"), action)
    platform.refresh_from_db()
    assert (probed, platform.paused_until, platform.pause_reason) == (0, until, reason)


def test_shorter_pause_is_extended(owner: AbstractUser, fake: FakePlatform) -> None:
    platform = paused(fake)
    diagnosis = make_diagnosis(owner, [platform])
    run = state_machine.begin_run(diagnosis.pk)
    assert run
    Platform.objects.update(paused_until=timezone.now() + timedelta(minutes=5), pause_reason=FailureReason.OPERATOR)
    state_machine.pause_platform(run, platform, FailureReason.QUOTA)
    platform.refresh_from_db()
    assert platform.paused_until
    assert platform.paused_until - timezone.now() > timedelta(minutes=59)
    assert platform.pause_reason == FailureReason.QUOTA
