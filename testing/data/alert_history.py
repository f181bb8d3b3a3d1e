"""The past of a site as alerts see it: answers of platforms, and the samples of the counters."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Platform, Question
from monitoring.models.samples import floor_to_bucket
from monitoring.rules.evaluator import run_evaluation
from testing.data.diagnoses import make_diagnosis, make_platform, make_user
from testing.data.samples import ANSWERS_METRIC, BUCKET, CALLS_METRIC, make_process, make_series, write_values

SeriesKey = tuple[str, tuple[tuple[str, str], ...]]


class SiteHistory:
    """Diagnoses that ended in the past, with real rows of answers; `write` stores them with their samples."""

    def __init__(self, platforms: Sequence[str] = ("a", "b", "c", "d"), *, is_demo: bool = False) -> None:
        self.platforms = [
            Platform.objects.filter(pk=pk).first() or make_platform(pk, is_demo=is_demo) for pk in platforms
        ]
        self._demo = str(is_demo).lower()
        owner = make_user(f"history-{uuid.uuid4().hex[:12]}")
        self._question = Question.objects.get(diagnosis=make_diagnosis(owner, self.platforms))
        self._answers: list[Answer] = []
        self._repeat = 1
        self._increases: dict[SeriesKey, dict[datetime, float]] = defaultdict(lambda: defaultdict(float))
        self.diagnoses: list[tuple[datetime, str]] = []

    def add_diagnosis(self, at: datetime, outcomes: Mapping[str, Sequence[str]]) -> None:
        """Add an ended diagnosis: {platform: outcome of each answer, "valid" or the reason of the failure}.

        A valid answer takes 2 s and a time-out 30 s.
        """
        for platform, results in outcomes.items():
            for outcome in results:
                self._add_answer(at, platform, outcome)
        every = [outcome for results in outcomes.values() for outcome in results]
        valid = every.count("valid")
        status = "failed" if not valid else "completed" if valid == len(every) else "partial"
        self._increase(at, "diagnosis_ended_total", 1, status=status)
        self.diagnoses.append((at, status))

    def write(self, until: datetime) -> None:
        """Store everything that was added since the last call."""
        Answer.objects.bulk_create(self._answers)
        self._answers = []
        if self._increases:
            first = min(min(buckets) for buckets in self._increases.values())
            process = make_process(first, until)
            rows = []
            for (metric, labels), buckets in self._increases.items():
                series, total = make_series(metric, dict(labels)), 0.0
                for bucket, amount in sorted(buckets.items()):
                    total += amount
                    rows.append((process, series, bucket, total))
            write_values(rows)
        self._increases.clear()

    def _add_answer(self, at: datetime, platform: str, outcome: str) -> None:
        self._repeat += 1
        is_valid = outcome == "valid"
        row = {"reason": "", "text": "好", "state": AnswerState.VALID}
        if not is_valid:
            row = {"reason": outcome, "text": "", "state": AnswerState.FAILED}
        answer = Answer(question=self._question, platform_id=platform, repeat=self._repeat, answered_at=at, **row)
        answer.diagnosis_id, answer.is_demo = self._question.diagnosis_id, self._demo == "true"
        self._answers.append(answer)
        for metric in (ANSWERS_METRIC, CALLS_METRIC):
            self._increase(at, metric, 1, platform=platform, outcome=outcome)
        self._increase(at, "diagnosis_call_seconds_sum", 30.0 if outcome == "timeout" else 2.0, platform=platform)
        self._increase(at, "diagnosis_call_seconds_count", 1, platform=platform)

    def _increase(self, at: datetime, metric: str, amount: float, **labels: str) -> None:
        key = (metric, tuple(sorted({**labels, "demo": self._demo}.items())))
        self._increases[key][floor_to_bucket(at)] += amount


def evaluate_between(start: datetime, until: datetime, *, every: timedelta = BUCKET, ticks: int = 1) -> None:
    """Run evaluations: every so often, as many consecutive ones as given."""
    moment = start
    while moment <= until:
        for tick in range(ticks):
            run_evaluation(moment + tick * BUCKET)
        moment += every
