"""What must hold after any fault: invariants of a diagnosis in its rows, its log and the calls at the fake platform."""

import itertools
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from testing.fakes.platform import Call, FakePlatform
from testing.services import wait_until
from testing.site import Site

CLOCK_TOLERANCE = timedelta(seconds=0.5)
FINAL_STATUS_VALUES = ("completed", "partial", "failed", "timed_out", "cancelled")

Event = tuple[int, str, dict[str, Any]]
"""seq, kind, data"""


@dataclass(frozen=True)
class StartedDiagnosis:
    """A diagnosis that the site has accepted."""

    id: str
    stream: str
    planned: int


def build_diagnosis_body(platforms: Sequence[str], *, questions: int = 3, repeats: int = 1) -> dict[str, Any]:
    """Build a request whose questions are unique, so that its calls can be told from those of other diagnoses."""
    name = uuid.uuid4().hex[:8]
    return {
        "brand": f"品牌{name}",
        "questions": [f"{name} 的第 {number} 个问题？" for number in range(questions)],
        "platforms": list(platforms),
        "repeats": repeats,
    }


def request_diagnosis(
    client: httpx.Client, platforms: Sequence[str], *, questions: int = 3, repeats: int = 1
) -> StartedDiagnosis:
    """Start a diagnosis with unique questions."""
    return parse_accepted(
        client.post("/api/diagnoses", json=build_diagnosis_body(platforms, questions=questions, repeats=repeats))
    )


def parse_accepted(response: httpx.Response) -> StartedDiagnosis:
    """Parse a 202 of `POST /api/diagnoses`."""
    assert response.status_code == 202, response.text
    body = response.json()
    return StartedDiagnosis(body["id"], body["stream"], body["planned"])


def get_status(site: Site, started: StartedDiagnosis) -> str:
    """Return the status in the diagnosis's row."""
    return str(site.query("SELECT status FROM diagnosis_diagnosis WHERE id = %s", started.id)[0][0])


def count_stored_answers(site: Site) -> int:
    """Count the stored answers of all diagnoses."""
    return int(site.query("SELECT count(*) FROM diagnosis_answer WHERE state <> 'pending'")[0][0])


def count_unfinished_diagnoses(site: Site) -> int:
    """Count the diagnoses that are not in a final state."""
    statement = "SELECT count(*) FROM diagnosis_diagnosis WHERE NOT status = ANY(%s)"
    return int(site.query(statement, list(FINAL_STATUS_VALUES))[0][0])


def wait_until_all_ended(site: Site, seconds: float = 240) -> None:
    """Return once every diagnosis is in a final state. Raises TimeoutError."""
    wait_until(lambda: count_unfinished_diagnoses(site) == 0, "every diagnosis to end", seconds)


def get_events(site: Site, stream: str) -> list[Event]:
    """Return the log of a stream."""
    return site.query("SELECT seq, kind, data FROM progress_event WHERE stream_id = %s ORDER BY seq", stream)


def get_stored_at(site: Site) -> dict[tuple[str, str], datetime]:
    """Return by platform and question when each answer was stored. For diagnoses without repeats."""
    rows = site.query(
        "SELECT a.platform_id, q.text, a.answered_at FROM diagnosis_answer a"
        " JOIN diagnosis_question q ON q.id = a.question_id WHERE a.answered_at IS NOT NULL"
    )
    return {(platform, question): at for platform, question, at in rows}


def group_calls_by_answer(fake: FakePlatform) -> dict[tuple[str, str], list[Call]]:
    """Group calls by platform and question, which identify a planned answer of a diagnosis without repeats."""
    calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in list(fake.calls):
        calls[call.model, call.question].append(call)
    return calls


def assert_consistent(site: Site, started: StartedDiagnosis) -> str:
    """Assert that rows, counts, report and log of an ended diagnosis agree, and return its status."""
    row = _get_row(site, "diagnosis_diagnosis", started.id)
    states = [str(state) for (state,) in _get_answers(site, started, "state")]
    assert row["status"] in FINAL_STATUS_VALUES
    assert row["planned"] == started.planned == len(states)
    assert "pending" not in states
    for state in ("valid", "failed", "filtered"):
        assert row[state] == states.count(state), f"{state}: the count disagrees with the rows"
    assert row["finished_at"] is not None
    assert (row["report"]["valid"], row["report"]["planned"]) == (row["valid"], row["planned"])
    _assert_log_is_complete(site, started, row)
    return str(row["status"])


def _assert_log_is_complete(site: Site, started: StartedDiagnosis, row: dict[str, Any]) -> None:
    stream = _get_row(site, "progress_stream", started.stream)
    events = get_events(site, started.stream)
    kinds = [kind for _, kind, _ in events]
    assert stream["is_closed"]
    assert [seq for seq, *_ in events] == list(range(1, stream["last_seq"] + 1)), "the log has a gap"
    assert kinds.count("complete") == 1
    assert kinds[-1] == "complete"
    complete = events[-1][2]
    assert {name: complete[name] for name in ("status", "valid", "failed", "filtered")} == {
        name: row[name] for name in ("status", "valid", "failed", "filtered")
    }
    percents = [data["percent"] for _, kind, data in events if kind == "progress"]
    assert percents == sorted(percents), "progress fell"
    logged_answers = [data["answer"] for _, kind, data in events if kind == "result"]
    columns = "id, answered_at, is_carried_over"
    stored_answers = [
        str(pk) for pk, at, is_carried_over in _get_answers(site, started, columns) if at and not is_carried_over
    ]
    assert sorted(logged_answers) == sorted(stored_answers), "log and rows have different answers"


def assert_no_call_after_stored_answer(site: Site, fake: FakePlatform) -> None:
    """Assert that no call was made after its answer had been stored. For diagnoses without repeats."""
    stored_at = get_stored_at(site)
    repeated = [
        planned
        for planned, calls in group_calls_by_answer(fake).items()
        if planned in stored_at and calls[-1].started_at > stored_at[planned]
    ]
    assert not repeated


def assert_repeats_were_interrupted(fake: FakePlatform, kills: Sequence[datetime]) -> None:
    """Assert that only calls which were in flight at a kill were made again."""
    for planned, calls in group_calls_by_answer(fake).items():
        for first, second in itertools.pairwise(calls):
            sent_at = first.started_at - CLOCK_TOLERANCE  # the platform may read a call after the kill of its sender
            assert any(sent_at <= kill <= second.started_at for kill in kills), f"{planned} was called twice"


def utc_now() -> datetime:
    """Return the current time of the clock of rows and calls."""
    return datetime.now(UTC)


def _get_row(site: Site, table: str, pk: str) -> dict[str, Any]:
    row: dict[str, Any] = site.query(f"SELECT to_jsonb(t) FROM {table} t WHERE id = %s", pk)[0][0]
    return row


def _get_answers(site: Site, started: StartedDiagnosis, columns: str) -> list[tuple[Any, ...]]:
    return site.query(f"SELECT {columns} FROM diagnosis_answer WHERE diagnosis_id = %s", started.id)
