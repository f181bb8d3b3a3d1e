"""What must hold after any fault: the invariants of a run, in the rows, the log and the platform's own account."""

import itertools
import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from testing.fake_platform import Call, FakePlatform
from testing.services import wait_until
from testing.site import Site

CLOCK_TOLERANCE = timedelta(seconds=0.5)
FINAL_STATUS_VALUES = ("completed", "partial", "failed", "timed_out", "cancelled")


def make_seeded_rng(request: pytest.FixtureRequest) -> random.Random:
    """A generator whose seed is printed, so that a failure can be run again: put it in place of the new one."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of {request.node.name}: {seed}")
    return random.Random(seed)


@dataclass(frozen=True)
class StartedDiagnosis:
    """An accepted diagnosis."""

    id: str
    stream: str
    planned: int


def build_diagnosis_body(platforms: Sequence[str], *, questions: int = 3, repeats: int = 1) -> dict[str, Any]:
    """An order whose questions nobody else asks, so that its calls can be told from the others'."""
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
    """Start a diagnosis of its own questions."""
    return parse_accepted(
        client.post("/api/diagnoses", json=build_diagnosis_body(platforms, questions=questions, repeats=repeats))
    )


def parse_accepted(response: httpx.Response) -> StartedDiagnosis:
    """What the 202 says."""
    assert response.status_code == 202, response.text
    answer = response.json()
    return StartedDiagnosis(answer["id"], answer["stream"], answer["planned"])


def get_status(site: Site, started: StartedDiagnosis) -> str:
    """The status in the row."""
    return str(site.query("SELECT status FROM diagnosis_diagnosis WHERE id = %s", started.id)[0][0])


def count_stored_answers(site: Site) -> int:
    """How many answers have been stored, of all diagnoses."""
    return int(site.query("SELECT count(*) FROM diagnosis_answer WHERE state <> 'pending'")[0][0])


def count_unfinished_diagnoses(site: Site) -> int:
    """How many diagnoses have not ended."""
    return int(
        site.query("SELECT count(*) FROM diagnosis_diagnosis WHERE NOT status = ANY(%s)", list(FINAL_STATUS_VALUES))[0][
            0
        ]
    )


def wait_until_all_ended(site: Site, seconds: float = 120) -> None:
    """Return once every diagnosis is in a final state."""
    wait_until(lambda: count_unfinished_diagnoses(site) == 0, "every diagnosis to end", seconds)


def assert_consistent(site: Site, started: StartedDiagnosis) -> str:
    """An ended diagnosis agrees with itself: rows, counts, report, log. Returns its status."""
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
    events = site.query("SELECT seq, kind, data FROM progress_event WHERE stream_id = %s ORDER BY seq", started.stream)
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
    settled = [str(pk) for pk, at, is_of_before in _get_answers(site, started, columns) if at and not is_of_before]
    assert sorted(logged_answers) == sorted(settled), "the log tells of other answers than the rows"


def assert_no_call_after_stored_answer(site: Site, fake: FakePlatform) -> None:
    """No call was made after its answer had been stored. For orders without repeats (see `_group_calls_by_answer`)."""
    stored_at = {
        (platform, question): at
        for platform, question, at in site.query(
            "SELECT a.platform_id, q.text, a.answered_at FROM diagnosis_answer a"
            " JOIN diagnosis_question q ON q.id = a.question_id WHERE a.answered_at IS NOT NULL"
        )
    }
    again = [
        planned
        for planned, made in _group_calls_by_answer(fake).items()
        if planned in stored_at and made[-1].started_at > stored_at[planned]
    ]
    assert not again


def assert_repeats_were_interrupted(fake: FakePlatform, kills: Sequence[datetime]) -> None:
    """Calls are as many as answers, plus those that were in flight at the kills."""
    for planned, made in _group_calls_by_answer(fake).items():
        for first, second in itertools.pairwise(made):
            begun = first.started_at - CLOCK_TOLERANCE  # what was sent before the kill may be read after it
            assert any(begun <= kill <= second.started_at for kill in kills), f"{planned} was asked twice"


def _group_calls_by_answer(fake: FakePlatform) -> dict[tuple[str, str], list[Call]]:
    """By platform and question: without repeats these two name one planned answer."""
    calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in fake.calls:
        calls[call.model, call.question].append(call)
    return calls


def utc_now() -> datetime:
    """The time of the clock that the rows and the platform's calls go by."""
    return datetime.now(UTC)


def _get_row(site: Site, table: str, pk: str) -> dict[str, Any]:
    found: dict[str, Any] = site.query(f"SELECT to_jsonb(t) FROM {table} t WHERE id = %s", pk)[0][0]
    return found


def _get_answers(site: Site, started: StartedDiagnosis, columns: str) -> list[tuple[Any, ...]]:
    return site.query(f"SELECT {columns} FROM diagnosis_answer WHERE diagnosis_id = %s", started.id)
