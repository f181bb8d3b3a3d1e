"""The alert rules of every new site. Rules that an operator has edited or deleted are left alone.

To add a metric with an alert rule:
1. define the metric in the `metrics.py` of its app and update it where the event occurs
   (monitoring/instrumentation/registry.py finds it);
2. add the rule to DEFAULT_RULES below; its fields are those of `Rule` (monitoring/models/rules.py);
3. write docs/runbooks/<rule>.md, which the admin shows at the rule's runbook URL;
4. `manage.py seed` adds it to the database.
CONTRIBUTING.md lists the documents and tests to extend.
"""

from collections import Counter
from typing import Any

from django.db import transaction

from monitoring.label_matchers import UNDECIDED_OUTCOMES
from monitoring.models import Rule, SeededRule

RUNBOOK_URL_PREFIX = "/admin/monitoring/rule/runbooks"  # the pages of docs/runbooks in the admin


def _build_matcher(label: str, op: str, *values: str) -> dict[str, Any]:
    return {"label": label, "op": op, "values": list(values)}


_PLATFORMS = "platform_unavailable"  # the alerts of monitoring/alerts/platform_alerts.py

DEFAULT_RULES: dict[str, dict[str, Any]] = {
    "high_error_rate": {
        "title": "平台回答失败率过高",
        "title_en": "Too many failed answers of AI platforms",
        "description": "失败的回答 / 有效与失败的回答。因内容拒答、用户取消、预算用完的，既不算成功也不算失败。",
        "severity": "error",
        "kind": "ratio",
        "metric": "diagnosis_answers_total",
        "matchers": [_build_matcher("outcome", "!=", "valid", *UNDECIDED_OUTCOMES)],
        "denominator": "diagnosis_answers_total",
        "denominator_matchers": [_build_matcher("outcome", "!=", *UNDECIDED_OUTCOMES)],
        "comparison": ">",
        "threshold": 0.05,
        "resolve_threshold": 0.03,
        "cooldown_seconds": 300,
        "inhibited_by": [_PLATFORMS],
    },
    "high_latency": {
        "title": "平台调用变慢",
        "title_en": "Slow calls to AI platforms",
        "description": "平台调用的平均时长（总秒数 / 次数）。",
        "severity": "warning",
        "kind": "mean",
        "metric": "diagnosis_call_seconds",
        "matchers": [],
        "comparison": ">",
        "threshold": 10.0,
        "resolve_threshold": 8.0,
        "cooldown_seconds": 300,
        "inhibited_by": [_PLATFORMS, "high_error_rate"],
    },
    "low_success_rate": {
        "title": "诊断成功率过低",
        "title_en": "Too few successful diagnoses",
        "description": "完成或部分完成的诊断 / 结束的诊断。用户取消的不计。",
        "severity": "error",
        "kind": "ratio",
        "metric": "diagnosis_ended_total",
        "matchers": [_build_matcher("status", "=", "completed", "partial")],
        "denominator": "diagnosis_ended_total",
        "denominator_matchers": [_build_matcher("status", "!=", "cancelled")],
        "comparison": "<",
        "threshold": 0.9,
        "resolve_threshold": 0.93,
        "least_samples": 3,
        "enough_samples": 10,
        "inhibited_by": [_PLATFORMS, "high_error_rate"],
        "cooldown_seconds": 300,
    },
    "high_concurrent_tasks": {
        "title": "未完成的诊断过多",
        "title_en": "Too many unfinished diagnoses",
        "description": "全站排队和进行中的诊断数。",
        "severity": "warning",
        "kind": "gauge",
        "metric": "diagnosis_unfinished",
        "matchers": [],
        "comparison": ">",
        "threshold": 100.0,
        "resolve_threshold": 90.0,
        "cooldown_seconds": 300,
    },
    "long_wait": {
        "title": "诊断排队过久",
        "title_en": "Diagnoses wait too long",
        "description": "排在最前面、还没有开始的诊断已等待的秒数。",
        "severity": "error",
        "kind": "gauge",
        "metric": "diagnosis_longest_wait_seconds",
        "matchers": [],
        "comparison": ">",
        "threshold": 300.0,
        "resolve_threshold": 60.0,
        "cooldown_seconds": 300,
        "inhibited_by": ["high_concurrent_tasks"],
    },
    "budget_nearly_used": {
        "title": "预算即将用完",
        "title_en": "A budget is nearly used up",
        "description": "本月已用到 80 % 的平台预算和账号预算的个数。",
        "severity": "warning",
        "kind": "gauge",
        "metric": "diagnosis_budgets_used",
        "matchers": [_build_matcher("percentage", "=", "80")],
        "comparison": ">",
        "threshold": 0.0,
        "resolve_threshold": 0.0,
        "cooldown_seconds": 3600,
    },
    "budget_exhausted": {
        "title": "预算已用完",
        "title_en": "A budget is used up",
        "description": "本月已用完、因此拒绝了调用的平台预算和账号预算的个数。",
        "severity": "error",
        "kind": "gauge",
        "metric": "diagnosis_budgets_used",
        "matchers": [_build_matcher("percentage", "=", "100")],
        "comparison": ">",
        "threshold": 0.0,
        "resolve_threshold": 0.0,
        "cooldown_seconds": 3600,
    },
    "wechat_messages_rejected": {
        "title": "微信拒绝订阅消息",
        "title_en": "WeChat rejects the subscribe messages",
        "description": "因模板（40037、47003）或页面（41030）有误而被拒绝的订阅消息数：上次发送成功以后，最多 24 小时",
        "severity": "error",
        "kind": "gauge",
        "metric": "wechat_messages_rejected",
        "matchers": [],
        "comparison": ">",
        "threshold": 0.0,
        "resolve_threshold": 0.0,
        "for_seconds": 0,
        "cooldown_seconds": 3600,
    },
    "cache_hit_rate_low": {
        "title": "缓存命中率过低",
        "title_en": "Low cache hit rate",
        "description": "命中 / 查询，每次查询只计一次；过期但仍可用的也算命中，有效期内第一次查询不可能命中，不计。",
        "severity": "info",
        "kind": "ratio",
        "metric": "cache_lookups_total",
        "matchers": [_build_matcher("result", "=", "hit", "stale")],
        "denominator": "cache_lookups_total",
        "denominator_matchers": [_build_matcher("result", "!=", "cold")],
        "evidence_days": 0.0,
        "comparison": "<",
        "threshold": 0.5,
        "resolve_threshold": 0.55,
        "cooldown_seconds": 600,
    },
}


def seed_rules() -> Counter[str]:
    """Add the missing rules and update unmodified ones; return how many of each.

    Counts: added, updated, kept (edited by an operator), deleted (by an operator, not added again).
    """
    counts: Counter[str] = Counter(added=0, updated=0, kept=0, deleted=0)
    for name, content in DEFAULT_RULES.items():
        with transaction.atomic():
            outcome = _seed_rule(name, {**content, "runbook_url": f"{RUNBOOK_URL_PREFIX}/{name}/"})
        if outcome:
            counts[outcome] += 1
    return counts


def _seed_rule(name: str, content: dict[str, Any]) -> str:
    """Return "added", "updated", "kept" or "deleted"; "" if there is nothing to do."""
    rule = Rule.objects.select_for_update().filter(name=name).first()
    was_seeded = SeededRule.objects.filter(name=name).exists()
    if rule is None:
        if was_seeded:
            return "deleted"
        Rule.objects.create(name=name, seeded=content, **content)
        SeededRule.objects.create(name=name)
        return "added"
    if not was_seeded:
        SeededRule.objects.create(name=name)
    if rule.seeded == content:
        return "" if is_unmodified(rule) else "kept"
    if not is_unmodified(rule):
        return "kept"
    for field, value in content.items():
        setattr(rule, field, value)
    rule.seeded = content
    rule.save()
    return "updated"


def is_unmodified(rule: Rule) -> bool:
    """Return whether a seeded rule is unchanged, apart from its channels and whether it is enabled."""
    return bool(rule.seeded) and all(getattr(rule, field) == value for field, value in rule.seeded.items())
