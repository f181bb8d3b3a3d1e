"""Repeated `kill -9` of the server: accepted diagnoses end, and no paid answer is lost."""

import random

from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.invariants import (
    StartedDiagnosis,
    assert_consistent,
    assert_no_call_after_stored_answer,
    assert_repeats_were_interrupted,
    count_stored_answers,
    count_unfinished_diagnoses,
    request_diagnosis,
    utc_now,
    wait_until_all_ended,
)
from testing.services import wait_until
from testing.site import Site, running_site

KILLS = 2
DIAGNOSES = 6
PLATFORMS = ["fast", "slow"]


def _start_diagnoses(site: Site, fake: FakePlatform, rng: random.Random) -> list[StartedDiagnosis]:
    fake.set_behaviour(hold_response())  # or much could be over before the last of them is ordered
    for slug in PLATFORMS:
        site.add_platform(slug, fake.base_url, concurrency=8)
    with site.client() as client:
        accepted = [request_diagnosis(client, PLATFORMS, questions=7) for _ in range(DIAGNOSES)]
    fake.set_behaviour(respond_with_answer(delay_seconds=lambda: rng.uniform(0.05, 0.4)), model="fast")
    fake.set_behaviour(respond_with_answer(delay_seconds=lambda: rng.uniform(0.4, 1.2)), model="slow")
    fake.release()
    return accepted


def test_repeatedly_killed_server_loses_no_answer_and_repeats_no_call(fake: FakePlatform, rng: random.Random) -> None:
    with running_site(JOB_STALLED_SECONDS="3") as site:
        accepted = _start_diagnoses(site, fake, rng)
        kills = []
        for _ in range(KILLS):
            enough = count_stored_answers(site) + rng.randint(2, 8)
            wait_until(lambda: count_stored_answers(site) >= enough and fake.in_flight.total() > 0, "a moment to kill")  # noqa: B023
            site.server.kill()
            kills.append(utc_now())
            assert count_unfinished_diagnoses(site) > 0, "a kill must hit something"
            site.server.start()
        wait_until_all_ended(site)
        assert {assert_consistent(site, started) for started in accepted} == {"completed"}
        assert_no_call_after_stored_answer(site, fake)
        assert_repeats_were_interrupted(fake, kills)


def test_accepted_diagnosis_runs_after_the_server_was_killed(fake: FakePlatform) -> None:
    with running_site(concurrency=0) as site:
        site.add_platform("fast", fake.base_url)
        with site.client() as client:
            accepted = request_diagnosis(client, ["fast"])
        site.server.kill()
        assert fake.count() == 0
        with site.make_worker():
            wait_until_all_ended(site)
        assert assert_consistent(site, accepted) == "completed"
        assert fake.count() == accepted.planned


def test_interrupted_diagnosis_continues_before_waiting_ones(fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response())
    with running_site(concurrency=1) as site, site.client() as client:
        site.add_platform("held", fake.base_url)
        cut, next_in_line, last = (request_diagnosis(client, ["held"], questions=1) for _ in range(3))
        fake.wait_for_calls(1)
        last_job = site.query("SELECT max(job_id) FROM diagnosis_diagnosis")[0][0]
        site.server.kill()
        site.start()
        retaken = "SELECT 1 FROM diagnosis_diagnosis WHERE id = %s AND job_id > %s"
        wait_until(lambda: site.query(retaken, cut.id, last_job), "the cut one to be taken up")
        fake.release()
        wait_until_all_ended(site)
        rows = site.query("SELECT diagnosis_id::text FROM diagnosis_answer ORDER BY answered_at")
        # The one that was next may have taken the free place before the cut one was missed.
        assert [pk for (pk,) in rows] in ([next_in_line.id, cut.id, last.id], [cut.id, next_in_line.id, last.id])
