"""Workers and PostgreSQL fail between the paid steps of an answer: no step is bought twice except those in flight."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from testing.fakes.protocols.loops import SEARCHES, STEPS_OF_CLAUDE, STEPS_OF_KIMI, LoopServer
from testing.invariants import (
    StartedDiagnosis,
    assert_consistent,
    count_stored_answers,
    request_diagnosis,
    wait_until_all_ended,
)
from testing.services import find_postmaster, wait_until, wait_until_exited
from testing.site import Site, create_database_on, running_site, start_site_postgres

QUESTIONS = 2
ANSWERS = 2 * QUESTIONS
STEPS = QUESTIONS * (STEPS_OF_KIMI + STEPS_OF_CLAUDE)
PATIENCE_OF_A_WORKER_SECONDS = 5  # settings.PROCRASTINATE_WORKER_DEFAULTS: then it drops what still runs


@pytest.fixture
def server() -> Iterator[LoopServer]:
    with LoopServer() as running:
        yield running
        running.release()


def _start(site: Site, server: LoopServer) -> StartedDiagnosis:
    for protocol in ("kimi", "messages"):
        site.add_platform(protocol, server.base_url, protocol=protocol, surface="search")
    with site.client() as client:
        return request_diagnosis(client, ["kimi", "messages"], questions=QUESTIONS)


def _assert_ledger_is_complete(site: Site, server: LoopServer, started: StartedDiagnosis, in_flight: int) -> None:
    """Assert that the ledger has the server's own count, each step once, and only those in flight twice."""
    wait_until_all_ended(site)
    assert assert_consistent(site, started) == "completed"
    assert server.problems == []
    assert len(server.depths) == STEPS + in_flight
    calls = site.query("SELECT state, searches FROM diagnosis_paidcall")
    assert Counter(state == "settled" for state, _searches in calls) == Counter({True: STEPS, False: in_flight})
    assert sum(searches or 0 for _state, searches in calls) == ANSWERS * SEARCHES
    assert site.query("SELECT search_count FROM diagnosis_answer") == [(SEARCHES,)] * ANSWERS
    assert site.query("SELECT count(*) FROM diagnosis_partialreply") == [(0,)]


def test_killed_worker_repeats_only_the_steps_in_flight(server: LoopServer) -> None:
    server.hold_from(1)
    with running_site(concurrency=0, JOB_STALLED_SECONDS="3") as site, site.make_worker() as worker:
        started = _start(site, server)
        server.wait_for_steps(1, ANSWERS)
        worker.kill()
        worker.start()
        server.wait_for_steps(1, 2 * ANSWERS)
        server.hold_from(3)  # Claude's answers end before
        server.wait_for_steps(3, QUESTIONS)
        wait_until(lambda: count_stored_answers(site) == QUESTIONS, "Claude's answers to be stored")
        worker.kill()
        worker.start()
        server.wait_for_steps(3, 2 * QUESTIONS)
        server.release()
        _assert_ledger_is_complete(site, server, started, in_flight=ANSWERS + QUESTIONS)


def test_no_step_begins_during_a_postgres_outage_and_none_is_repeated(
    server: LoopServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    postgres = start_site_postgres(tmp_path_factory.mktemp("steps") / "postgres")
    try:
        server.hold_from(1)
        with running_site(address=create_database_on(postgres)) as site:
            started = _start(site, server)
            server.wait_for_steps(1, ANSWERS)
            postmaster = find_postmaster(postgres.data_directory)
            postmaster.send_signal(signal.SIGQUIT)
            wait_until_exited(postmaster)
            server.release()
            threading.Event().wait(PATIENCE_OF_A_WORKER_SECONDS + 1.5)
            assert set(server.depths) == {0, 1}
            postgres.ensure_running()
            _assert_ledger_is_complete(site, server, started, in_flight=0)
    finally:
        postgres.release()
