"""Concurrency limits: diagnoses per process, calls per platform, one diagnosis per Idempotency-Key."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import httpx
import pytest
from django.utils import timezone
from procrastinate import App, SyncPsycopgConnector

from diagnosis.running.queue import MAINTENANCE_QUEUE
from testing.fakes.platform import FakePlatform, hold_response
from testing.invariants import assert_consistent, build_diagnosis_body, request_diagnosis, wait_until_all_ended
from testing.site import running_site

AT_ONCE = 3
LONG_STALL_TIMEOUT = {"JOB_STALLED_SECONDS": "30"}  # a slow worker must not count as stalled, or its calls are repeated


@pytest.fixture
def fake() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        server.set_behaviour(hold_response())
        yield server


@pytest.mark.parametrize("where", ["in the server", "in a worker process"])
def test_concurrent_diagnoses_of_a_process_are_limited(fake: FakePlatform, where: str) -> None:
    concurrency = AT_ONCE if where == "in the server" else 0
    with (
        running_site(concurrency=concurrency, DIAGNOSES_AT_ONCE=str(AT_ONCE), **LONG_STALL_TIMEOUT) as site,
        site.client() as client,
    ):
        site.add_platform("roomy", fake.base_url, concurrency=50)
        with nullcontext() if concurrency else site.make_worker():
            # Each diagnosis has one call, so concurrent calls are concurrent diagnoses.
            diagnoses = [request_diagnosis(client, ["roomy"], questions=1) for _ in range(4 * AT_ONCE)]
            fake.wait_for_calls(AT_ONCE)
            fake.release()
            wait_until_all_ended(site)
        assert {assert_consistent(site, ordered) for ordered in diagnoses} == {"completed"}
    assert fake.max_in_flight["roomy"] == AT_ONCE


def test_concurrent_calls_to_a_platform_are_limited_across_diagnoses(fake: FakePlatform) -> None:
    with running_site(PLATFORM_SHARE_PER_OWNER="1", **LONG_STALL_TIMEOUT) as site, site.client() as client:
        site.add_platform("narrow", fake.base_url, concurrency=2)
        site.add_platform("wide", fake.base_url, concurrency=6)
        diagnoses = [request_diagnosis(client, ["narrow", "wide"], questions=4) for _ in range(5)]
        fake.wait_for_calls(2 + 6)
        fake.release()
        wait_until_all_ended(site)
        assert {assert_consistent(site, ordered) for ordered in diagnoses} == {"completed"}
    assert fake.max_in_flight == {"narrow": 2, "wide": 6}


def test_twenty_concurrent_requests_with_one_key_create_one_diagnosis(fake: FakePlatform) -> None:
    with running_site(**LONG_STALL_TIMEOUT) as site, site.client() as client:
        site.add_platform("roomy", fake.base_url, concurrency=50)
        fake.release()
        headers, body = {"Idempotency-Key": uuid.uuid4().hex}, build_diagnosis_body(["roomy"])
        together = threading.Barrier(20)

        def post(_: int) -> httpx.Response:
            with site.client() as one_of_twenty:
                together.wait()
                return one_of_twenty.post("/api/diagnoses", json=body, headers=headers)

        with ThreadPoolExecutor(20) as pool:
            responses = list(pool.map(post, range(20)))
        assert Counter(response.status_code for response in responses) == {202: 1, 200: 19}
        # Without the status, which may change between the first and the last response.
        bodies = [response.json() for response in responses]
        assert len({(body["id"], body["stream"], body["socket_url"]) for body in bodies}) == 1
        other = client.post("/api/diagnoses", json=build_diagnosis_body(["roomy"]), headers=headers)
        assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
        wait_until_all_ended(site)
        assert site.query("SELECT count(*) FROM diagnosis_diagnosis") == [(1,)]
    assert fake.count() == len(body["questions"])


def test_fully_occupied_server_still_probes_a_paused_platform(fake: FakePlatform) -> None:
    with running_site(concurrency=1, **LONG_STALL_TIMEOUT) as site, site.client() as client:
        site.add_platform("busy", fake.base_url)
        site.add_platform("paused", fake.base_url, pause_reason="quota", paused_until=timezone.now())
        diagnosis = request_diagnosis(client, ["busy"], questions=1)
        fake.wait_for_calls(1, model="busy")
        with App(connector=SyncPsycopgConnector(conninfo=site.address)).open() as jobs:
            jobs.configure_task("diagnosis.probe", queue=MAINTENANCE_QUEUE).defer(timestamp=0)
        fake.wait_for_calls(1, model="paused")
        fake.release()
        wait_until_all_ended(site)
        assert assert_consistent(site, diagnosis) == "completed"
