"""PostgreSQL or Redis fails during a diagnosis: it completes without intervention and without loss."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from psycopg_pool import ConnectionPool

from diagsite.server.embedded_postgres import EmbeddedPostgres
from testing.checkout import running_embedded_site
from testing.clients.stream_client import MAX_FOLLOW_SECONDS, StreamClient, assert_received_every_event_once
from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.invariants import (
    assert_consistent,
    assert_no_call_after_stored_answer,
    count_stored_answers,
    count_unfinished_diagnoses,
    request_diagnosis,
    wait_until_all_ended,
)
from testing.services import RedisServer, find_postmaster, wait_until, wait_until_exited
from testing.site import Site, create_database_on, running_site, start_site_postgres

PLATFORMS = ["one", "two"]
PATIENCE_OF_A_WORKER_SECONDS = 5  # settings.PROCRASTINATE_WORKER_DEFAULTS: then it drops what still runs
SECONDS_UNTIL_BACK = 180  # 1 or 2 when the machine has nothing else to do
SECONDS_WITHOUT_REDIS = 180  # the calls alone take 2


@pytest.fixture
def fake() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        server.set_behaviour(respond_with_answer(delay_seconds=0.3))
        yield server


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of these tests' own, that they may stop; the tables are in its first database."""
    server = start_site_postgres(tmp_path_factory.mktemp("outages") / "postgres")
    yield server
    server.release()


@pytest.fixture
def address(postgres: EmbeddedPostgres) -> str:
    """A database of the test's own on it."""
    return create_database_on(postgres)


def _add_platforms(site: Site, fake: FakePlatform) -> None:
    for slug in PLATFORMS:
        site.add_platform(slug, fake.base_url, concurrency=3)


@contextmanager
def _following(follower: StreamClient) -> Iterator[None]:
    """Follow the stream during the block; at its end, every event must have arrived."""
    thread = threading.Thread(target=follower.follow_until_complete)
    thread.start()
    yield
    thread.join(MAX_FOLLOW_SECONDS)
    assert_received_every_event_once(follower)


def _stop(postgres: EmbeddedPostgres, number: signal.Signals) -> None:
    """SIGINT is a fast shutdown, SIGQUIT an immediate one: the next start has to recover."""
    postmaster = find_postmaster(postgres.data_directory)
    postmaster.send_signal(number)
    wait_until_exited(postmaster)


def _restart_twice(site: Site, postgres: EmbeddedPostgres) -> None:
    """A clean, short restart, then a crash with an outage."""
    for number, seconds_away in ((signal.SIGINT, 0.0), (signal.SIGQUIT, 3.0)):
        enough = count_stored_answers(site) + 6
        wait_until(lambda: count_stored_answers(site) >= enough, "some answers")  # noqa: B023
        assert count_unfinished_diagnoses(site) > 0
        _stop(postgres, number)
        threading.Event().wait(seconds_away)
        postgres.ensure_running()


def test_postgres_restarts_in_the_middle_and_the_diagnosis_ends_by_itself(
    fake: FakePlatform, postgres: EmbeddedPostgres, address: str
) -> None:
    with running_site(address=address) as site:
        _add_platforms(site, fake)
        with site.client() as client:
            accepted = [request_diagnosis(client, PLATFORMS, questions=12) for _ in range(3)]
            with _following(StreamClient(site, accepted[0])):
                _restart_twice(site, postgres)
                wait_until_all_ended(site)
        assert site.server.is_running
    assert {assert_consistent(site, started) for started in accepted} == {"completed"}
    assert_no_call_after_stored_answer(site, fake)


def test_answers_that_arrive_during_a_postgres_outage_are_stored(
    fake: FakePlatform, postgres: EmbeddedPostgres, address: str
) -> None:
    fake.set_behaviour(hold_response())
    with running_site(address=address) as site:
        site.add_platform("one", fake.base_url, concurrency=8)  # of which an account gets six at once
        with site.client() as client:
            accepted = request_diagnosis(client, ["one"], questions=6)
        fake.wait_for_calls(6)
        _stop(postgres, signal.SIGQUIT)
        fake.release()
        wait_until(lambda: all(call.outcome == "answered" for call in fake.calls), "all to be answered")
        threading.Event().wait(PATIENCE_OF_A_WORKER_SECONDS + 1.5)
        postgres.ensure_running()
        wait_until_all_ended(site, SECONDS_UNTIL_BACK)
        assert assert_consistent(site, accepted) == "completed"
    assert fake.count() == accepted.planned


def test_waiting_requests_get_a_connection_soon_after_postgres_recovers(postgres: EmbeddedPostgres) -> None:
    options = settings.DATABASES["default"]["OPTIONS"]["pool"] | {"timeout": 60}
    with ConnectionPool(postgres.get_uri(), check=ConnectionPool.check_connection, **options) as pool:
        pool.wait()
        _stop(postgres, signal.SIGINT)
        with ThreadPoolExecutor() as threads:
            waiting = threads.submit(pool.getconn)
            threading.Event().wait(4)  # long enough for the pool to give up
            postgres.ensure_running()
            pool.putconn(waiting.result(SECONDS_UNTIL_BACK))


@pytest.mark.redis
def test_no_event_is_lost_during_a_redis_outage(fake: FakePlatform, redis_server: RedisServer) -> None:
    options = {"REDIS_URL": redis_server.url, "JOB_STALLED_SECONDS": "30"}
    with running_site(concurrency=0, **options) as site, site.make_worker(), site.client() as client:
        _add_platforms(site, fake)
        started = request_diagnosis(client, PLATFORMS, questions=20, repeats=2)
        with _following(StreamClient(site, started)):
            for is_away in (True, False, True, False):
                enough = count_stored_answers(site) + 6
                wait_until(lambda: count_stored_answers(site) >= enough, "answers, with or without Redis")  # noqa: B023
                if is_away:
                    redis_server.stop()
                else:
                    redis_server.start()
            wait_until_all_ended(site, SECONDS_WITHOUT_REDIS)
        assert assert_consistent(site, started) == "completed"
        assert site.query("SELECT run_number, crashes FROM diagnosis_diagnosis") == [(1, 0)]
        log = site.server.read_output()
        assert "redis_unavailable" in log
        assert "Traceback" not in log
        assert len([line for line in log.splitlines() if "redis" in line.lower()]) <= 6, log  # two outages
    assert fake.count() == started.planned


def test_serve_restarts_its_embedded_postgres_and_stops_it_at_its_end(fake: FakePlatform, tmp_path: Path) -> None:
    fake.set_behaviour(hold_response())
    with running_embedded_site(tmp_path) as (site, database):
        site.add_platform("one", fake.base_url)
        with site.client() as client:
            stream_client = StreamClient(site, request_diagnosis(client, ["one"]))
        fake.wait_for_calls(3)
        killed = find_postmaster(database.data_directory)
        killed.kill()
        fake.release()
        stream_client.follow_until_complete()
        assert_received_every_event_once(stream_client)
        assert assert_consistent(site, stream_client.diagnosis) == "completed"
        assert fake.count() == stream_client.diagnosis.planned
        successor = find_postmaster(database.data_directory)
        assert successor.pid != killed.pid
        site.server.send_signal(signal.SIGTERM)
        assert site.server.wait(180) == 0
        assert not successor.is_running()
