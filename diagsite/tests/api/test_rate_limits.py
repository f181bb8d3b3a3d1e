"""Rate limits: the responses, separate counts per client, and operation without Redis."""

from collections import Counter
from contextlib import ExitStack

import pytest

from testing.invariants import build_diagnosis_body
from testing.services import RedisServer, wait_for_minute_start
from testing.site import running_site

FEW = {"CALLS_PER_MINUTE": "5", "SIGN_INS_PER_MINUTE": "3", "STARTS_PER_MINUTE": "2"}


def test_each_limit_refuses_its_requests_with_a_retry_time() -> None:
    with running_site(**FEW) as site, ExitStack() as stack:
        wait_for_minute_start()
        client, other_client = (stack.enter_context(site.client(f"device-{name}")) for name in ("one", "two"))
        calls = [client.get("/api/platforms") for _ in range(6)]
        assert Counter(call.status_code for call in calls) == {200: 5, 429: 1}
        body = calls[-1].json()
        assert (body["code"], body["retryable"]) == ("RATE_LIMITED", True)
        assert 0 < body["retry_after_ms"] <= 120_000
        assert int(calls[-1].headers["Retry-After"]) >= 1
        assert body["copy"]["title"] == "操作太频繁"

        assert other_client.get("/api/platforms").status_code == 200
        orders = [other_client.post("/api/diagnoses", json=build_diagnosis_body(["demo-fast"])) for _ in range(3)]
        assert [order.status_code for order in orders] == [202, 202, 429]

        sign_ins = [other_client.post("/api/session", json={"device_id": f"device-{n}"}, headers={}) for n in range(2)]
        assert sign_ins[-1].status_code == 429


@pytest.mark.redis
def test_limits_apply_without_redis(redis_server: RedisServer) -> None:
    with running_site(REDIS_URL=redis_server.url, **FEW) as site, site.client() as client:
        redis_server.stop()
        wait_for_minute_start()
        calls = [client.get("/api/platforms") for _ in range(6)]
        assert Counter(call.status_code for call in calls) == {200: 5, 429: 1}
