"""Scenarios of a small site through the real evaluator, sender and watchdog: what operators are told, and when.

python -m bench.alerts.scenarios
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, Measure, run_measurements

ScenarioResult = tuple[str, bool]  # what was measured, whether it is right
DAY = timedelta(days=1)


def reset() -> None:
    """Remove the rows of another scenario, add the default rules and a channel."""
    from diagnosis.models import Answer, Diagnosis, Platform
    from monitoring.models import Alert, Channel, Delivery, Process, Rule, SeededRule, Series, Silence
    from monitoring.rules.defaults import seed_rules

    for model in (Delivery, Alert, Rule, SeededRule, Silence, Channel, Process, Series, Answer, Diagnosis, Platform):
        model.objects.all().delete()
    seed_rules()
    Channel.objects.create(name="ops", kind="webhook")


def count_messages() -> Counter[str]:
    """Return the number of messages of each kind."""
    from monitoring.models import Delivery

    return Counter(Delivery.objects.values_list("kind", flat=True))


def total_failure_on_a_quiet_site() -> ScenarioResult:
    """Five diagnoses a day; after two healthy days all of them fail."""
    from monitoring.models import Alert
    from testing.data.alert_history import SiteHistory, evaluate_between
    from testing.data.samples import NOON

    history = SiteHistory()
    for number in range(20):
        outcome = "valid" if number < 10 else "connection"
        history.add_diagnosis(NOON + number * DAY / 5, {key: [outcome] for key in "abcd"})
    history.write(NOON + 5 * DAY)
    evaluate_between(NOON + timedelta(minutes=1), NOON + 4 * DAY, every=DAY / 5, ticks=5)
    fired = Alert.objects.order_by("fired_at").first()
    failed = [at for at, status in history.diagnoses if status == "failed" and fired and at <= fired.fired_at]
    return f"told after {len(failed)} failed diagnoses; {dict(count_messages())}", bool(fired) and len(failed) <= 3


def paused_platform() -> ScenarioResult:
    """A platform answers 401 and is paused; an operator corrects the key."""
    from diagnosis.choices import FailureReason
    from diagnosis.models import Platform
    from monitoring.models import Alert
    from monitoring.rules.evaluator import run_evaluation
    from testing.data.alert_history import SiteHistory
    from testing.data.samples import BUCKET, NOON

    SiteHistory()
    run_evaluation(NOON)
    Platform.objects.filter(pk="b").pause(NOON + timedelta(minutes=10), FailureReason.KEY)
    run_evaluation(NOON + BUCKET)
    alert = Alert.objects.get()
    is_named = "平台 b" in alert.title and "密钥" in alert.title and "恢复" in alert.summary
    Platform.objects.filter(pk="b").update(paused_until=None, pause_reason="")
    run_evaluation(NOON + 2 * BUCKET)
    messages = count_messages()
    is_right = is_named and messages == {"fired": 1, "resolved": 1}
    return f"“{alert.title}” in the next evaluation; {dict(messages)}", is_right


def steady_failures(hours: int = 24) -> ScenarioResult:
    """8 % failures at 10 calls a minute."""
    from monitoring.models import Alert
    from testing.data.alert_history import SiteHistory, evaluate_between
    from testing.data.samples import BUCKET, NOON

    rng = random.Random(8)
    history = SiteHistory()
    for number in range(hours * 240):
        for _ in range(rng.choice((2, 3))):
            outcome = "timeout" if rng.random() < 0.08 else "valid"
            history.add_diagnosis(NOON + number * BUCKET, {rng.choice("abcd"): [outcome]})
    history.write(NOON + 2 * DAY)
    evaluate_between(NOON, NOON + timedelta(hours=hours), every=timedelta(minutes=15), ticks=5)
    messages = count_messages()
    resolved = Alert.objects.filter(resolved_at__isnull=False).count()
    return f"{messages.total()} messages, {resolved} resolved", 0 < messages.total() <= 6 and not resolved


def one_bad_diagnosis() -> ScenarioResult:
    """9 of 36 answers fail once, in all platforms, then a week of small healthy diagnoses."""
    from testing.data.alert_history import SiteHistory, evaluate_between
    from testing.data.samples import NOON

    history = SiteHistory()
    history.add_diagnosis(
        NOON, {name: ["busy"] * (3 if name == "a" else 2) + ["valid"] * (6 if name == "a" else 7) for name in "abcd"}
    )
    for number in range(1, 22):
        history.add_diagnosis(NOON + number * DAY / 3, {key: ["valid"] for key in "abcd"})
    history.write(NOON + 8 * DAY)
    evaluate_between(NOON, NOON + timedelta(minutes=5))
    evaluate_between(NOON + timedelta(hours=1), NOON + 7 * DAY, every=timedelta(hours=6), ticks=2)
    messages = count_messages()
    return f"{dict(messages)}", messages == {"fired": 1, "resolved": 1}


def time_outs_of_one_platform() -> ScenarioResult:
    """120 time-outs of one of four platforms within half an hour, then it recovers."""
    from monitoring.models import Alert
    from testing.data.alert_history import SiteHistory, evaluate_between
    from testing.data.samples import NOON

    history = SiteHistory()
    minute = timedelta(minutes=1)
    for number in range(120):
        is_down = 30 <= number < 60
        outcomes = {name: ["valid"] * 4 for name in "abc"} | {"d": ["timeout" if is_down else "valid"] * 4}
        history.add_diagnosis(NOON + number * minute, outcomes)
    history.write(NOON + DAY)
    evaluate_between(NOON, NOON + 115 * minute, every=minute / 2)
    messages, titles = count_messages(), list(Alert.objects.values_list("title", flat=True))
    is_right = messages == {"fired": 1, "resolved": 1} and "平台 d" in titles[0]
    return f"{dict(messages)}: {'; '.join(titles)}", is_right


def values_of_a_recovery() -> ScenarioResult:
    """A third of the answers of every platform fails for a quarter of an hour, then one in a hundred."""
    from monitoring.models import Delivery
    from testing.data.alert_history import SiteHistory, evaluate_between
    from testing.data.samples import BUCKET, NOON

    history = SiteHistory()
    for number in range(420):
        has_failed = number % 3 == 0 if number < 60 else number % 100 == 0
        history.add_diagnosis(
            NOON + number * BUCKET, {"abcd"[number % 4]: ["timeout" if has_failed else "valid"], "a": ["valid"]}
        )
    history.write(NOON + DAY)
    evaluate_between(NOON, NOON + 415 * BUCKET, every=2 * BUCKET)
    resolved = Delivery.objects.filter(kind="resolved").first()
    facts = dict(resolved.message["facts"]) if resolved else {}
    names = ("当前值", "最差值", "阈值", "共持续")
    current, peak = (float(facts.get(name, "nan %").split(" ")[0]) for name in names[:2])
    text = "; ".join(f"{name} {facts.get(name)}" for name in names)
    return text, current <= 3 and peak >= 10 and all(name in facts for name in names)


def rare_visitor() -> ScenarioResult:
    """One look-up a minute in a cache whose entries live for a moment."""
    from monitoring.models import Alert
    from monitoring.rules.evaluator import run_evaluation
    from monitoring.samples.collector import flush_samples
    from performance.cache import get_cache
    from testing.data.samples import BUCKET, NOON

    cache = get_cache(ttl=0.001, namespace="rare-visitor")
    for minute in range(30):
        cache.load("page", lambda: 1)
        flush_samples(NOON + 4 * minute * BUCKET)
        for tick in range(4):
            run_evaluation(NOON + (4 * minute + tick) * BUCKET)
    alerts = Alert.objects.filter(rule_name="cache_hit_rate_low").count()
    return f"{dict(cache.lookups)}, {alerts} alerts", alerts == 0


def demo_failures() -> ScenarioResult:
    """The sample diagnosis of `make run` on the flaky demo platform, with DEMO=1."""
    from django.test import override_settings

    from monitoring.models import Alert
    from testing.data.alert_history import SiteHistory, evaluate_between
    from testing.data.samples import NOON

    history = SiteHistory(["demo", "flaky"], is_demo=True)
    history.add_diagnosis(NOON, {"demo": ["valid"] * 12, "flaky": ["busy"] * 6 + ["valid"] * 6})
    history.write(NOON + DAY)
    with override_settings(DEMO=True):
        evaluate_between(NOON, NOON + timedelta(minutes=10))
    return f"{Alert.objects.count()} alerts", not Alert.objects.exists()


def dead_monitoring() -> ScenarioResult:
    """A rule raises in every evaluation; the clock steps 2 h forward and back."""
    from django.utils import timezone

    from monitoring.models import Alert, Rule
    from monitoring.rules.evaluator import run_evaluation
    from monitoring.watchdog import check_heartbeats
    from testing.data.samples import BUCKET

    now = timezone.now()
    Rule.objects.filter(name="high_latency").update(metric="gone")
    for tick in (-3, -2, -1, 0):
        run_evaluation(now + tick * BUCKET)
    check_heartbeats()
    failed = list(Alert.objects.open().values_list("rule_name", flat=True))
    run_evaluation(now + timedelta(hours=2))
    run_evaluation(now + BUCKET)
    told = set(Alert.objects.open().values_list("rule_name", flat=True))
    evaluated = len(run_evaluation(now + 2 * BUCKET))
    text = f"after 3 intervals: {failed}; after the step: {sorted(told)}, {evaluated} rules evaluated again"
    return text, failed == ["rules_failed"] and "clock" in told and evaluated > 0


def rejecting_channel() -> ScenarioResult:
    """A channel answers 404 once; then for an hour, while another one works."""
    from monitoring.alerts.lifecycle import fire_alert
    from monitoring.delivery import results
    from monitoring.exceptions import ChannelMisconfigured
    from monitoring.models import Channel, Delivery
    from monitoring.watchdog import check_heartbeats

    other = Channel.objects.create(name="other", kind="webhook", is_default=False)
    fire_alert(fingerprint="test", title="test", severity="error")
    delivery = Delivery.objects.get()
    results.record_delivery_failure(delivery, ChannelMisconfigured("对方拒绝：HTTP 404"))
    delivery.refresh_from_db()
    is_retried = delivery.state == "waiting" and delivery.channel.is_enabled
    Channel.objects.filter(name="ops").update(rejecting_since=delivery.created_at - timedelta(hours=1))
    for _ in range(6):
        results.record_delivery_failure(delivery, ChannelMisconfigured("对方拒绝：HTTP 404"))
    is_disabled = not Channel.objects.get(name="ops").is_enabled
    with patch("monitoring.watchdog.send_due_deliveries"):
        check_heartbeats()
    told = list(Delivery.objects.filter(channel=other).values_list("message__title", flat=True))
    text = f"retried: {is_retried}; disabled after an hour: {is_disabled}; the other channel is told {told}"
    return text, is_retried and is_disabled and "通知渠道已停用" in told


SCENARIOS: dict[str, tuple[Callable[[], ScenarioResult], str]] = {
    "5 diagnoses a day, all fail": (total_failure_on_a_quiet_site, "told within 3 failed diagnoses"),
    "a platform answers 401 and is paused": (paused_platform, "1 alert that names it, at once; resolved when healthy"),
    "steady 8 % failures at 10 calls a minute, one day": (steady_failures, "<= 6 messages, none resolved"),
    "one bad diagnosis, then a week of small healthy ones": (one_bad_diagnosis, "1 fired, 1 resolved"),
    "120 time-outs of one platform": (time_outs_of_one_platform, "1 message that names it, 1 resolved"),
    "fired at a third, recovered to 1 %": (
        values_of_a_recovery,
        "current, worst, threshold and duration in the message",
    ),
    "one visitor now and then, a short-lived cache": (rare_visitor, "no alert"),
    "the sample on the flaky demo platform": (demo_failures, "no alert"),
    "a rule raises; the clock steps 2 h forward and back": (dead_monitoring, "an alert within 3 intervals"),
    "a channel answers 404": (rejecting_channel, "retried; disabled only after an hour, another channel is told"),
}


def _build_measure(name: str) -> Measure:
    def measure() -> BenchmarkResult:
        start_bench_database()
        reset()
        scenario, must_be = SCENARIOS[name]
        text, is_right = scenario()
        return BenchmarkResult(name, must_be, text, is_right)

    return measure


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(run_measurements("alerts-scenarios", [(name, _build_measure(name)) for name in SCENARIOS]))
