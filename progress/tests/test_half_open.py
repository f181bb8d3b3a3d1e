"""A subscription whose connection is dropped without being closed, as by a NAT: noticed, reported, and replaced."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from channels.layers import channel_layers
from django.test import AsyncClient
from pytest_django import Settings

from progress import metrics
from progress.hub.hub import Hub, get_hub
from progress.models import Stream
from progress.publisher import anotify_subscribers
from progress.tests.test_hub import RecordingSubscriber, subscribe, until
from testing.clients.sockets import append_numbered_events_async
from testing.services import RedisServer
from testing.tcp_proxy import TcpProxy, running_tcp_proxy

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

RECOVERY_SECONDS = 15


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[TcpProxy]:
    with running_tcp_proxy(redis_server.port) as running:
        yield running


@pytest.fixture
async def hub(proxy: TcpProxy, settings: Settings) -> AsyncIterator[Hub]:
    """The hub of this process, with a channel layer behind the proxy."""
    address = f"redis://127.0.0.1:{proxy.port}/0"
    settings.REDIS_URL = address
    settings.CHANNEL_LAYERS = settings.CHANNEL_LAYERS | {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": address, "socket_timeout": None}]},
        }
    }
    yield get_hub()
    await channel_layers["default"].flush()


async def measure_latency(stream: Stream, recorder: RecordingSubscriber, number: int) -> float:
    """Return the seconds from an event to its delivery."""
    await append_numbered_events_async(stream, number)
    started = time.monotonic()
    await anotify_subscribers(stream.pk)
    await recorder.has_seen(number)
    return time.monotonic() - started


async def test_push_is_fast_again_soon_after_its_connections_are_dropped(
    hub: Hub, proxy: TcpProxy, stream: Stream
) -> None:
    recorder = RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, recorder)
    assert (await AsyncClient().get("/readyz")).json() == {"status": "ok", "database": "ok"}
    reopened = metrics.push_reopened._value.get()

    proxy.black_hole()
    lost_at = time.monotonic()
    await until(lambda: not hub.is_push_working)
    answer = await AsyncClient().get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "degraded", "database": "ok", "push": "unavailable"},
    )
    await until(lambda: hub.is_push_working)
    assert time.monotonic() - lost_at < RECOVERY_SECONDS
    assert (await AsyncClient().get("/readyz")).json()["status"] == "ok"
    assert metrics.push_reopened._value.get() == reopened + 1
    latencies = [await measure_latency(stream, recorder, number) for number in (1, 2, 3, 4)]
    assert max(latencies) < 1
    await hub.unsubscribe(stream.pk, recorder)


async def test_a_layer_that_stays_dropped_is_opened_again_until_it_works(
    hub: Hub, proxy: TcpProxy, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("progress.hub.hub.SWEEP_INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr("progress.hub.hub.LAYER_CALL_TIMEOUT_SECONDS", 0.3)
    recorder = RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, recorder)
    reopened = metrics.push_reopened._value.get()
    proxy.black_hole(new_connections=True)
    await until(lambda: metrics.push_reopened._value.get() >= reopened + 2)
    assert not hub.is_push_working
    assert metrics.push_working._value.get() == 0
    await append_numbered_events_async(stream, 1)
    await recorder.has_seen(1)  # by the sweep
    proxy.black_hole(new_connections=False)
    await until(lambda: hub.is_push_working)
    await until(lambda: metrics.push_working._value.get() == 1)
    await hub.unsubscribe(stream.pk, recorder)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "hub"]
