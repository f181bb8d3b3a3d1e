"""Which platforms cannot answer, and why: paused ones at once, others by their last answers. For alerts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import log
from typing import Any

from django.db import connection
from django.utils import translation

from diagnosis.choices import AnswerState, FailureReason
from diagnosis.models import Platform
from diagnosis.platforms.availability import describe_pause_reason
from diagnosis.platforms.errors import PAUSE_DURATIONS
from performance.intervals import binomial_tail

RECENT_ANSWERS, RECENT_DAYS = 200, 3
# Numbers of last answers that are looked at: five failed ones, or 8 of 10, or 13 of 20, make a platform fail.
_LOOKED_AT = (5, 10, 20, 50)
_FAILING_SHARE, _MAX_DOUBT = 0.3, 0.0025
# A platform works again when its answers since are this many times likelier at 5 % failures than at 50 %.
_WORKING_SHARE, _BROKEN_SHARE, _RECOVERY_ODDS = 0.05, 0.5, 20_000.0

# Reasons that say nothing about whether the platform answers, or for which it is paused.
_IGNORED_REASONS = [
    *(FailureReason.CANCELLED, FailureReason.DEADLINE, FailureReason.OPERATOR, FailureReason.BUDGET),
    *PAUSE_DURATIONS,
]
_ADVICE = {
    FailureReason.QUOTA: "到平台方控制台充值或提高配额，然后在后台“AI 平台”中恢复该平台",
    FailureReason.KEY: "核对密钥的环境变量与平台方控制台里的密钥，改正后重启，再在后台“AI 平台”中恢复该平台",
    FailureReason.MODEL: "在平台方控制台开通该模型，或在后台“AI 平台”中改用别的模型",
    FailureReason.CONFIG: "核对后台“AI 平台”中该平台的地址、模型与参数",
    FailureReason.RATE: "降低该平台的“同时请求数”或“每分钟请求数”",
    FailureReason.BUG: "按“错误记录”中的编号查日志",
}
_DEFAULT_ADVICE = "查看平台方的状态页与本站的网络；短时间内不能恢复时，在后台停用该平台"

_RECENT_SQL = """
SELECT platform.id, answer.state, answer.reason, answer.answered_at
FROM diagnosis_platform AS platform
CROSS JOIN LATERAL (
    SELECT state, reason, answered_at FROM diagnosis_answer
    WHERE platform_id = platform.id AND state <> 'pending' AND NOT is_carried_over
      AND answered_at BETWEEN %(since)s AND %(now)s
      AND state <> 'filtered' AND reason <> ALL(%(ignored)s)
    ORDER BY answered_at DESC LIMIT %(limit)s
) AS answer
WHERE platform.id = ANY(%(platforms)s)
ORDER BY platform.id, answer.answered_at DESC
"""


@translation.override("zh-hans")
def find_platform_problems(
    failing_since: Mapping[str, datetime], recovered_at: Mapping[str, datetime], now: datetime
) -> list[dict[str, Any]]:
    """Return the platforms that cannot answer, in their order, without demo platforms and those that operators paused.

    failing_since: {platform: since when it has been known to fail}; it has a problem until its answers prove otherwise.
    recovered_at: {platform: when an earlier problem ended}; answers before that do not count.
    Each is {platform, name, reason, text, advice, is_paused}; texts in Chinese, for alerts.
    """
    platforms = list(Platform.objects.enabled().filter(is_demo=False))
    since = now - timedelta(days=RECENT_DAYS)
    outcomes = _load_outcomes([platform.pk for platform in platforms], since, now, _IGNORED_REASONS)
    problems = []
    for platform in platforms:
        recovered = recovered_at.get(platform.pk, since)
        recent = [outcome for outcome in outcomes.get(platform.pk, []) if outcome[2] > recovered]
        if platform.pause_reason not in ("", FailureReason.OPERATOR):
            problems.append(_describe_paused(platform))
        elif _has_failed(recent, failing_since.get(platform.pk)):
            problems.append(_describe_failing(platform, [reason for failed, reason, _at in recent if failed]))
    return problems


def _has_failed(recent: Sequence[tuple[bool, str, datetime]], failing_since: datetime | None) -> bool:
    if not any(failed for failed, _reason, _at in recent):
        return False
    if failing_since is None:
        return is_failing([failed for failed, _reason, _at in recent])
    return not is_working_again([failed for failed, _reason, at in recent if at > failing_since])


def is_failing(failed: Sequence[bool]) -> bool:
    """Return whether chance does not explain the failures among the last answers, newest first."""
    numbers = [number for number in _LOOKED_AT if number <= len(failed)]
    return any(binomial_tail(sum(failed[:number]), number, _FAILING_SHARE) <= _MAX_DOUBT for number in numbers)


def is_working_again(failed: Sequence[bool]) -> bool:
    """Return whether the answers since a failure, newest first, prove that the platform answers again."""
    odds = 0.0
    success = log((1 - _WORKING_SHARE) / (1 - _BROKEN_SHARE))
    failure = log(_WORKING_SHARE / _BROKEN_SHARE)
    for has_failed in reversed(failed):
        odds = max(0.0, odds + (failure if has_failed else success))
    return odds >= log(_RECOVERY_ODDS)


@translation.override("zh-hans")
def count_failed_answers(since: datetime, now: datetime) -> list[dict[str, Any]]:
    """Return {platform, name, reason, count} of the answers that failed since then, most first."""
    counts: Counter[tuple[str, str]] = Counter()
    names = dict(Platform.objects.filter(is_demo=False).values_list("pk", "name"))
    for pk, recent in _load_outcomes(names, since, now, [FailureReason.CANCELLED]).items():
        counts.update((pk, reason) for failed, reason, _at in recent if failed)
    return [
        {"platform": pk, "name": names[pk], "reason": str(_get_label(reason)), "count": count}
        for (pk, reason), count in counts.most_common()
    ]


def _load_outcomes(
    platforms: Iterable[str], since: datetime, now: datetime, ignored: Sequence[FailureReason]
) -> dict[str, list[tuple[bool, str, datetime]]]:
    """Return {platform: [(has failed, reason, at)]} of the last answers, newest first."""
    parameters: dict[str, Any] = {
        "platforms": list(platforms),
        "since": since,
        "now": now,
        "ignored": [reason.value for reason in ignored],
        "limit": RECENT_ANSWERS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECENT_SQL, parameters)
        rows = cursor.fetchall()
    return {
        pk: [(state == AnswerState.FAILED, reason, at) for _pk, state, reason, at in answers]
        for pk, answers in groupby(rows, key=lambda row: row[0])
    }


def _describe_paused(platform: Platform) -> dict[str, Any]:
    reason = platform.pause_reason
    label = describe_pause_reason(platform)
    return _build_problem(platform, reason, f"{platform.name}已暂停：{label}", is_paused=True)


def _describe_failing(platform: Platform, reasons: Sequence[str]) -> dict[str, Any]:
    counts = Counter(reasons)
    main = counts.most_common(1)[0][0]
    parts = "、".join(f"{_get_label(reason)} {count} 次" for reason, count in counts.most_common(3))
    return _build_problem(platform, main, f"{platform.name}的回答大多失败：{parts}", is_paused=False)


def _build_problem(platform: Platform, reason: str, text: str, *, is_paused: bool) -> dict[str, Any]:
    advice = _ADVICE.get(FailureReason(reason), _DEFAULT_ADVICE) if reason in FailureReason.values else _DEFAULT_ADVICE
    return {
        "platform": platform.pk,
        "name": platform.name,
        "reason": reason,
        "reason_label": str(_get_label(reason)),
        "text": text,
        "advice": advice,
        "is_paused": is_paused,
    }


def _get_label(reason: str) -> Any:
    return FailureReason(reason).label if reason in FailureReason.values else "原因未知"
