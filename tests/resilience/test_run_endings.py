"""Endings other than completion: deadline, cancel, SIGTERM. Stored answers are kept."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from testing.clients.stream_client import StreamClient, assert_received_every_event_once
from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.invariants import (
    StartedDiagnosis,
    assert_consistent,
    assert_no_call_after_stored_answer,
    count_stored_answers,
    count_unfinished_diagnoses,
    get_status,
    parse_accepted,
    request_diagnosis,
)
from testing.services import get_load_factor, wait_until
from testing.site import Site, SiteProcess, running_site

QUESTIONS = 3
PLATFORMS = ["quick", "held"]


@pytest.fixture
def fake() -> Iterator[FakePlatform]:
    """One platform answers at once, the other when released."""
    with FakePlatform() as server:
        server.set_behaviour(respond_with_answer(), model="quick")
        server.set_behaviour(hold_response(), model="held")
        yield server


def _run_half_way(site: Site, fake: FakePlatform) -> StartedDiagnosis:
    """A diagnosis with half of its answers stored and the other calls in flight."""
    for slug in PLATFORMS:
        site.add_platform(slug, fake.base_url)
    with site.client() as client:
        started = request_diagnosis(client, PLATFORMS, questions=QUESTIONS)
    wait_until(
        lambda: count_stored_answers(site) == QUESTIONS and fake.in_flight["held"] == QUESTIONS, "half of the answers"
    )
    return started


def _assert_half_is_kept(site: Site, fake: FakePlatform, started: StartedDiagnosis, status: str, reason: str) -> None:
    assert assert_consistent(site, started) == status
    rows = site.query("SELECT platform_id, state, reason FROM diagnosis_answer")
    assert sorted(set(rows)) == [("held", "failed", reason), ("quick", "valid", "")]
    wait_until(lambda: fake.in_flight["held"] == 0, "the calls in flight to be dropped")
    assert {call.outcome for call in fake.calls if call.model == "held"} == {"dropped"}


def test_diagnosis_past_its_deadline_times_out_and_keeps_its_answers(fake: FakePlatform) -> None:
    with running_site(DIAGNOSIS_TIMEOUT_SECONDS=f"{4 * get_load_factor():g}") as site:  # enough to come half way
        started = _run_half_way(site, fake)
        StreamClient(site, started).follow_until_complete()
        _assert_half_is_kept(site, fake, started, "timed_out", "deadline")


def test_a_cancel_ends_at_once_and_a_retry_asks_only_what_is_missing(fake: FakePlatform) -> None:
    with running_site(JOB_STALLED_SECONDS="30") as site, site.client() as client:
        started = _run_half_way(site, fake)
        cancelled = client.post(f"/api/diagnoses/{started.id}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        _assert_half_is_kept(site, fake, started, "cancelled", "cancelled")

        fake.release()
        retry = parse_accepted(client.post(f"/api/diagnoses/{started.id}/retry"))
        StreamClient(site, retry).follow_until_complete()
        assert assert_consistent(site, retry) == "completed"
        assert get_status(site, started) == "cancelled"
        assert (fake.count(model="quick"), fake.count(model="held")) == (QUESTIONS, 2 * QUESTIONS)


def _terminate(process: SiteProcess) -> None:
    """A server has 14 seconds to stop; beyond that its exit code is 1."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(180) == 0


def test_terminated_server_closes_sockets_and_its_successor_finishes(fake: FakePlatform) -> None:
    with running_site() as site, ThreadPoolExecutor() as pool:
        started = _run_half_way(site, fake)
        followers = [StreamClient(site, started) for _ in range(5)]
        watching = [pool.submit(follower.follow_socket) for follower in followers]
        wait_until(lambda: all(follower.events for follower in followers), "all to follow")
        _terminate(site.server)
        assert [watch.result() for watch in watching] == [4503] * len(followers)
        assert count_unfinished_diagnoses(site) == 1
        fake.release()
        site.start()
        for follower in followers:
            follower.follow_until_complete()
            assert_received_every_event_once(follower)
        assert assert_consistent(site, started) == "completed"
    assert_no_call_after_stored_answer(site, fake)
