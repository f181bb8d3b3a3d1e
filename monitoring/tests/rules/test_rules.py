"""The default rules, and rules, alerts and silences in the admin."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from errors.edit_conflicts import VERSION_FIELD
from monitoring.admin.rule_form import find_preset
from monitoring.alerts.lifecycle import fire_alert
from monitoring.models import Alert, Rule, RuleState, Sample, Silence
from monitoring.models.samples import floor_to_bucket
from monitoring.rules.backtest import run_backtest
from monitoring.rules.defaults import DEFAULT_RULES, seed_rules
from monitoring.rules.evaluator import run_evaluation
from monitoring.rules.rule_query import build_rule_query
from testing.data.samples import (
    ANSWERS_METRIC,
    BUCKET,
    CALLS_METRIC,
    NOON,
    make_process,
    make_series,
    write_calls,
    write_values,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    """A user with all permissions of monitoring who is not a superuser."""
    user = get_user_model().objects.create(username="ming", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="monitoring"))
    client.force_login(user)
    return client


@pytest.fixture
def onlooker(client: Client) -> Client:
    user = get_user_model().objects.create(username="hong", is_staff=True)
    looks = Permission.objects.filter(content_type__app_label="monitoring", codename__startswith="view_")
    user.user_permissions.set(looks)
    client.force_login(user)
    return client


def make_form(**changes: Any) -> dict[str, Any]:
    rule = Rule(name="mine", title="我的", kind="ratio", metric=CALLS_METRIC, threshold=0.05)
    values: dict[str, Any] = {
        field.name: getattr(rule, field.name) for field in Rule._meta.fields if field.editable and field.name != "id"
    }
    values["inhibited_by"] = ["platform_unavailable"]
    values |= {"matchers": '[{"label": "outcome", "op": "!=", "values": ["valid"]}]', "denominator_matchers": "[]"}
    values |= {"denominator": CALLS_METRIC, "is_enabled": "on", "resolve_threshold": "0.03"}
    return {name: value for name, value in (values | changes).items() if value not in (None, False)}


# Seeding -------------------------------------------------------------------------------------------------------------


def test_default_rules_can_be_evaluated_and_have_a_runbook(operator: Client) -> None:
    assert seed_rules()["added"] == len(DEFAULT_RULES) == 9
    for rule in Rule.objects.all():
        build_rule_query(rule)
        assert operator.get(rule.runbook_url).status_code == 200
    assert [result.error for result in run_evaluation(NOON)] == [None] * 9


def test_seeding_twice_changes_nothing() -> None:
    seed_rules()
    assert sum(seed_rules().values()) == 0


def test_seeding_keeps_edited_rules_and_updates_others(monkeypatch: Any) -> None:
    seed_rules()
    Rule.objects.filter(name="high_latency").update(threshold=20)
    Rule.objects.get(name="cache_hit_rate_low").delete()
    for name in ("high_latency", "high_error_rate", "cache_hit_rate_low"):
        monkeypatch.setitem(DEFAULT_RULES, name, DEFAULT_RULES[name] | {"threshold": 0.5})
    assert seed_rules() == {"added": 0, "updated": 1, "kept": 1, "deleted": 1}
    thresholds = dict(Rule.objects.values_list("name", "threshold"))
    assert thresholds["high_latency"] == 20 and thresholds["high_error_rate"] == 0.5
    assert "cache_hit_rate_low" not in thresholds


def test_seeding_updates_disabled_rules_and_keeps_them_disabled(monkeypatch: Any) -> None:
    seed_rules()
    Rule.objects.filter(name="high_error_rate").update(is_enabled=False)
    monkeypatch.setitem(DEFAULT_RULES, "high_error_rate", DEFAULT_RULES["high_error_rate"] | {"title": "新标题"})
    assert seed_rules()["updated"] == 1
    rule = Rule.objects.get(name="high_error_rate")
    assert (rule.title, rule.is_enabled) == ("新标题", False)


# The form ------------------------------------------------------------------------------------------------------------


def test_added_rule_is_evaluated(operator: Client) -> None:
    response = operator.post(reverse("admin:monitoring_rule_add"), make_form())
    assert response.status_code == 302, response.context["errors"]
    assert run_evaluation()[0].error is None


def test_preset_replaces_the_numbers_and_a_new_rule_is_on(operator: Client) -> None:
    page = operator.get(reverse("admin:monitoring_rule_add"))
    assert page.context["adminform"].form["is_enabled"].value() and "高级" in page.content.decode()
    operator.post(reverse("admin:monitoring_rule_add"), make_form(preset="calm", confidence="0.6"))
    rule = Rule.objects.get()
    assert (rule.confidence, rule.enough_samples, rule.for_seconds) == (0.99, 100, 300) and find_preset(rule) == "calm"
    operator.post(reverse("admin:monitoring_rule_change", args=[rule.pk]), make_form(confidence="0.6"))
    rule.refresh_from_db()
    assert rule.confidence == 0.6 and find_preset(rule) == ""
    assert rule.is_enabled and rule.inhibited_by == ["platform_unavailable"]


def test_saving_a_rule_that_is_off_says_so(operator: Client) -> None:
    response = operator.post(reverse("admin:monitoring_rule_add"), make_form(is_enabled=None), follow=True)
    assert "没有启用，不会计算" in response.content.decode()


def test_form_that_was_opened_before_another_change_is_rejected(operator: Client) -> None:
    operator.post(reverse("admin:monitoring_rule_add"), make_form())
    rule = Rule.objects.get()
    address = reverse("admin:monitoring_rule_change", args=[rule.pk])
    opened = operator.get(address).context["adminform"].form[VERSION_FIELD].value()
    assert operator.post(address, make_form(opened_version=opened, threshold="0.2")).status_code == 302
    page = operator.post(address, make_form(opened_version=opened, threshold="0.3")).content.decode()
    assert "“阈值”现在是“0.2”（ming " in page
    rule.refresh_from_db()
    assert rule.threshold == 0.2


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"threshold": "5"}, "threshold", "5 % 写作 0.05"),
        ({"resolve_threshold": "3"}, "resolve_threshold", "300 %"),
        ({"resolve_threshold": "0.2"}, "resolve_threshold", "不能大于阈值"),
        ({"comparison": "<"}, "resolve_threshold", "不能小于阈值"),
        ({"metric": "diagnosis_cals_total"}, "metric", "没有“diagnosis_cals_total”"),
        ({"metric": "diagnosis_call_seconds"}, "metric", "要用计数类指标"),
        ({"denominator": "diagnosis_running"}, "denominator", "要用计数类指标"),
        ({"matchers": '[{"label": "outcom", "op": "=", "values": ["x"]}]'}, "matchers", "没有标签 outcom"),
        ({"matchers": '[{"label": "outcome"}]'}, "matchers", "第 1 个条件"),
        ({"matchers": "outcome"}, "matchers", "JSON"),
        ({"kind": "gauge", "metric": "diagnosis_running", "matchers": "[]"}, "denominator", "只有比率才有分母"),
        ({"widest_window_seconds": "60"}, "widest_window_seconds", "不能比时间窗窄"),
        ({"enough_samples": "3"}, "enough_samples", "不能小于最少样本数"),
    ],
)
def test_invalid_rules_are_rejected_with_a_text(operator: Client, changes: Any, field: str, text: str) -> None:
    response = operator.post(reverse("admin:monitoring_rule_add"), make_form(**changes))
    assert response.status_code == 200
    assert text in " ".join(response.context["adminform"].form.errors[field])
    assert not Rule.objects.exists()


def test_name_of_a_rule_is_read_only(operator: Client) -> None:
    seed_rules()
    rule = Rule.objects.get(name="high_error_rate")
    page = operator.get(reverse("admin:monitoring_rule_change", args=[rule.pk])).content.decode()
    assert 'name="name"' not in page and "回测" in page


def test_unknown_metric_is_marked(operator: Client) -> None:
    rule = Rule.objects.create(name="old", title="旧", kind="ratio", metric="gone_total", threshold=0.5)
    page = operator.get(reverse("admin:monitoring_rule_change", args=[rule.pk])).content.decode()
    assert "gone_total（已不存在）" in page


def test_number_of_queries_of_lists_is_bounded(operator: Client, django_assert_max_num_queries: Any) -> None:
    seed_rules()
    run_evaluation()
    for name in "abc":
        fire_alert(fingerprint=name, title=name, severity="error")
    for model in ("rule", "alert", "silence"):
        with django_assert_max_num_queries(12):
            assert operator.get(reverse(f"admin:monitoring_{model}_changelist")).status_code == 200


# The backtest --------------------------------------------------------------------------------------------------------


def write_hour(end: Any) -> None:
    """Write ten calls per bucket for the hour before; half of them fail from minute 20 to 28."""
    start = floor_to_bucket(end) - timedelta(hours=1)
    calls = [(5, 5) if 80 <= n < 112 else (10, 0) for n in range(240)]
    process = make_process(start, end)
    for metric in (CALLS_METRIC, ANSWERS_METRIC):
        write_calls(process, start, calls, metric=metric)


def test_backtest_agrees_with_the_evaluator() -> None:
    start, end = NOON + timedelta(minutes=12), NOON + timedelta(minutes=38)
    write_hour(NOON + timedelta(hours=1))
    jobs = make_process(NOON, NOON + timedelta(minutes=30))
    steps = [(n, 120.0 if 40 <= n < 80 else 3.0) for n in range(120)]
    series = make_series("jobs_running", {"task": "t"})
    write_values((jobs, series, NOON + n * BUCKET, value) for n, value in steps)
    rules = [
        Rule.objects.create(name="errors", kind="ratio", metric=CALLS_METRIC, denominator=CALLS_METRIC, threshold=0.05,
                            matchers=[{"label": "outcome", "op": "=", "values": ["busy"]}]),
        Rule.objects.create(name="jobs", kind="gauge", metric="jobs_running", threshold=100, no_data="ok"),
    ]  # fmt: skip
    for tick in range(int((end - start) / BUCKET) + 1):
        run_evaluation(start + tick * BUCKET)
    for rule in rules:
        test = run_backtest(rule, end, end - start)
        assert test.has_data
        alerts = Alert.objects.filter(rule=rule).order_by("fired_at")
        assert len(alerts) == 1
        assert [(firing.fired_at, firing.resolved_at) for firing in test.firings] == [
            (alert.fired_at, alert.resolved_at) for alert in alerts
        ]
        assert [firing.measurement.value for firing in test.firings] == [alert.value for alert in alerts]


def test_backtest_uses_the_unsaved_form(operator: Client) -> None:
    write_hour(timezone.now())
    rule = Rule.objects.create(
        name="errors", title="旧", kind="ratio", metric=CALLS_METRIC, denominator=CALLS_METRIC, threshold=0.9
    )
    address = reverse("admin:monitoring_rule_backtest", args=[rule.pk])
    page = operator.post(address, make_form(hours="1")).content.decode()
    assert "会触发 <strong>1</strong> 次" in page
    assert "<svg" in page and page.count('class="firing"') == 1 and "<table>" in page
    rule.refresh_from_db()
    assert (rule.threshold, rule.title) == (0.9, "旧")
    new = operator.post(reverse("admin:monitoring_rule_backtest_new"), make_form(hours="1", threshold="0.6"))
    assert "会触发 <strong>0</strong> 次" in new.content.decode()
    assert Rule.objects.count() == 1 and not Alert.objects.exists()


def test_backtest_shows_form_errors_and_missing_samples(operator: Client, onlooker: Client) -> None:
    address = reverse("admin:monitoring_rule_backtest_new")
    assert onlooker.post(address, make_form()).status_code == 403
    operator.force_login(get_user_model().objects.get(username="ming"))
    assert "5 % 写作 0.05" in operator.post(address, make_form(threshold="5")).content.decode()
    assert "没有这个指标的采样" in operator.post(address, make_form()).content.decode()


# Alerts and silences -------------------------------------------------------------------------------------------------


def test_alert_can_be_acknowledged_and_commented(operator: Client) -> None:
    alert = fire_alert(fingerprint="x", title="<b>很多失败</b>", severity="error", summary="当前 9 %")
    assert alert
    operator.post(reverse("admin:monitoring_alert_acknowledge", args=[alert.pk]), {"text": "在看"})
    operator.post(reverse("admin:monitoring_alert_note", args=[alert.pk]), {"text": "已找到原因"})
    page = operator.get(reverse("admin:monitoring_alert_change", args=[alert.pk])).content.decode()
    assert all(text in page for text in ("在看", "已找到原因", "当前 9 %", "已确认", "&lt;b&gt;"))
    assert (
        operator.get(reverse("admin:monitoring_alert_changelist") + "?open=unacknowledged")
        .context["cl"]
        .queryset.count()
        == 0
    )


def test_view_permission_changes_nothing(onlooker: Client) -> None:
    alert = fire_alert(fingerprint="x", title="很多失败", severity="error")
    assert alert
    for name in ("acknowledge", "note"):
        assert (
            onlooker.post(reverse(f"admin:monitoring_alert_{name}", args=[alert.pk]), {"text": "?"}).status_code == 403
        )
    page = onlooker.get(reverse("admin:monitoring_alert_change", args=[alert.pk]))
    assert page.status_code == 200 and "我来处理" not in page.content.decode()
    assert not alert.timeline.exclude(kind="fired").exists()


def test_silence_preview_shows_matching_alerts(operator: Client) -> None:
    fire_alert(fingerprint="x", rule_name="errors", title="很多失败", severity="error")
    fire_alert(fingerprint="y", rule_name="latency", title="很慢", severity="warning")
    now = timezone.localtime()
    form = {
        "comment": "维护", "matchers": '[{"label": "severity", "op": "=", "values": ["error"]}]', "weekly": "[]",
        "starts_at_0": f"{now:%Y-%m-%d}", "starts_at_1": f"{now:%H:%M:%S}",
        "ends_at_0": f"{now + timedelta(days=1):%Y-%m-%d}", "ends_at_1": "12:00:00",
    }  # fmt: skip
    preview = operator.post(reverse("admin:monitoring_silence_preview"), form).content.decode()
    assert "很多失败" in preview and "很慢" not in preview and not Silence.objects.exists()
    assert operator.post(reverse("admin:monitoring_silence_add"), form).status_code == 302
    silence = Silence.objects.get()
    assert silence.author and silence.author.get_username() == "ming"
    assert operator.post(reverse("admin:monitoring_silence_delete", args=[silence.pk])).status_code == 403
    operator.post(
        reverse("admin:monitoring_silence_changelist"), {"action": "end_now", "_selected_action": [silence.pk]}
    )
    silence.refresh_from_db()
    assert silence.ends_at <= timezone.now()


# The command ---------------------------------------------------------------------------------------------------------


def evaluate_alerts(*arguments: str) -> str:
    out = StringIO()
    call_command("evaluate_alerts", *arguments, stdout=out)
    return out.getvalue()


def test_command_explains_every_rule_in_a_line() -> None:
    seed_rules()
    write_hour(NOON + timedelta(hours=1))
    at = (NOON + timedelta(minutes=27)).isoformat()
    lines = evaluate_alerts("--at", at).splitlines()
    assert [line.split()[0] for line in lines] == sorted(DEFAULT_RULES)
    line = next(line for line in lines if line.startswith("high_error_rate"))
    assert "% > 5 %?" in line and "n=200 in 300 s" in line and "pending: beyond the threshold" in line
    assert "no samples" in lines[0]
    assert not RuleState.objects.exists()
    rows = {row["rule"]: row for row in json.loads(evaluate_alerts("--at", at, "--json"))}
    assert rows["high_error_rate"]["value"] > 0.3 and rows["high_error_rate"]["window_seconds"] == 300
    assert rows["high_latency"]["state"] == "no_data"


def test_command_evaluates_now_and_rejects_past_times_with_apply() -> None:
    seed_rules()
    assert "no_data" in evaluate_alerts("--apply")
    assert RuleState.objects.count() == 9
    with pytest.raises(CommandError, match="--apply"):
        evaluate_alerts("--at", "2026-02-27 03:10", "--apply")
    with pytest.raises(CommandError, match="is not a time"):
        evaluate_alerts("--at", "yesterday")
    Rule.objects.filter(name="high_latency").update(metric="gone")
    with pytest.raises(CommandError, match="could not be evaluated"):
        evaluate_alerts()
    assert not Sample.objects.exists()
