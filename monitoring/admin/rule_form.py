"""The form of a rule: metrics are selected from the registry, and rules that could never fire are rejected."""

from typing import Any

from django import forms

from monitoring.alerts.platform_alerts import PLATFORM_ALERT_NAME
from monitoring.instrumentation.registry import get_metrics
from monitoring.label_matchers import validate_matchers
from monitoring.models import Rule

METRIC_KIND_BY_RULE_KIND = {Rule.Kind.RATIO: "counter", Rule.Kind.MEAN: "histogram", Rule.Kind.GAUGE: "gauge"}
_METRIC_GROUP_LABELS = {"counter": "计数（比率）", "histogram": "直方图（平均值）", "gauge": "仪表（当前值）"}


class MatchersWidget(forms.Textarea):
    """JSON that a script turns into rows of fields."""

    def __init__(self, **attrs: str) -> None:
        super().__init__({"rows": 4, "cols": 80, "data-matchers": "yes", **attrs})


# How much evidence a rule needs and how long it waits; the fields can still be set one by one.
PRESETS: dict[str, dict[str, Any]] = {
    "sensitive": {
        "window_seconds": 300, "widest_window_seconds": 1800, "enough_samples": 30, "least_samples": 5,
        "evidence_days": 3.0, "confidence": 0.9, "for_seconds": 0, "keep_firing_seconds": 60,
    },
    "normal": {
        "window_seconds": 300, "widest_window_seconds": 1800, "enough_samples": 50, "least_samples": 8,
        "evidence_days": 3.0, "confidence": 0.95, "for_seconds": 60, "keep_firing_seconds": 120,
    },
    "calm": {
        "window_seconds": 600, "widest_window_seconds": 3600, "enough_samples": 100, "least_samples": 20,
        "evidence_days": 3.0, "confidence": 0.99, "for_seconds": 300, "keep_firing_seconds": 600,
    },
}  # fmt: skip
CUSTOM_PRESET = ""
_PRESET_CHOICES = [
    ("normal", "普通：几分钟内发现，很少误报"),
    ("sensitive", "敏感：更早发现，偶尔误报"),
    ("calm", "平稳：只报明确而持续的问题"),
    (CUSTOM_PRESET, "自定：用“高级”里的数值"),
]


class RuleForm(forms.ModelForm[Rule]):
    """All fields, validated together."""

    preset = forms.ChoiceField(
        label="灵敏度", choices=_PRESET_CHOICES, required=False, help_text="选定后代替“高级”里的证据和等待时间"
    )

    inhibited_by = forms.MultipleChoiceField(
        label="由哪些告警说明",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="这些告警未解除时，本规则不另行告警",
    )

    class Meta:
        model = Rule
        fields = "__all__"
        widgets = {
            "description": forms.Textarea({"rows": 2, "cols": 80}),
            "matchers": MatchersWidget(**{"data-metric": "id_metric"}),
            "denominator_matchers": MatchersWidget(**{"data-metric": "id_denominator"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metrics = get_metrics()
        if "preset" in self.fields:
            self.fields["preset"].initial = find_preset(self.instance)
        if "metric" not in self.fields:
            return  # read-only
        self.fields["inhibited_by"].choices = list_causes(self.instance)  # type: ignore[attr-defined]
        for name, kinds in (("metric", list(_METRIC_GROUP_LABELS)), ("denominator", ["counter"])):
            groups: list[Any] = [("", "---------")]
            for kind in kinds:
                choices = [
                    (metric.name, f"{metric.name}（{', '.join(metric.labels)}）" if metric.labels else metric.name)
                    for metric in self.metrics.values()
                    if metric.kind == kind
                ]
                groups.append((_METRIC_GROUP_LABELS[kind], choices))
            current = getattr(self.instance, name)
            if current and current not in self.metrics:
                groups.append((current, f"{current}（已不存在）"))
            self.fields[name].widget = forms.Select(choices=groups)

    def clean(self) -> dict[str, Any]:
        """Reject rules that could not be evaluated, or could never fire or resolve."""
        data = super().clean() or {}
        data |= PRESETS.get(data.get("preset", CUSTOM_PRESET), {})
        for name, error in (self._validate_metrics(data) | _validate_numbers(data)).items():
            if name in self.fields and name not in self.errors:
                self.add_error(name, error)
        return data

    def _validate_metrics(self, data: dict[str, Any]) -> dict[str, str]:
        """Require existing metrics of a suitable kind, and matchers on labels that they have."""
        kind, errors = data.get("kind", ""), {}
        matchers_fields = {"metric": "matchers"}
        if kind == Rule.Kind.RATIO:
            matchers_fields["denominator"] = "denominator_matchers"
        elif data.get("denominator"):
            errors["denominator"] = "只有比率才有分母，请留空"
        for field, matchers in matchers_fields.items():
            name = data.get(field) or (data.get("metric") if field == "denominator" else "") or ""
            if error := self._find_metric_error(name, kind):
                errors[field] = error
                continue
            conditions, labels = data.get(matchers) or [], self.metrics[name].labels
            if texts := validate_matchers(conditions):
                errors[matchers] = "；".join(texts)
            elif unknown := sorted({condition["label"] for condition in conditions} - set(labels)):
                known = "、".join(labels) or "无"
                errors[matchers] = f"{name} 没有标签 {'、'.join(unknown)}；它的标签：{known}"
        return errors

    def _find_metric_error(self, name: str, kind: str) -> str:
        metric = self.metrics.get(name)
        if metric is None:
            return f"没有“{name}”这个指标，请从列表里选" if name else "请选择指标"
        expected_kind = METRIC_KIND_BY_RULE_KIND.get(Rule.Kind(kind)) if kind in Rule.Kind.values else None
        if expected_kind and metric.kind != expected_kind:
            expected, actual = (_METRIC_GROUP_LABELS[metric_kind][:2] for metric_kind in (expected_kind, metric.kind))
            return f"{Rule.Kind(kind).label}要用{expected}类指标，{name} 是{actual}"
        return ""


def list_causes(rule: Rule) -> list[tuple[str, str]]:
    """Return (name, label) of the alerts that may explain a rule: platforms, the other rules, and those it names."""
    others = Rule.objects.exclude(pk=rule.pk).values_list("name", "title")
    causes = {PLATFORM_ALERT_NAME: "AI 平台无法回答", **{name: title or name for name, title in others}}
    return list(({name: f"{name}（已不存在）" for name in rule.inhibited_by} | causes).items())


def find_preset(rule: Rule) -> str:
    """Return the preset whose values the rule has."""
    matching = (name for name, values in PRESETS.items() if all(getattr(rule, key) == values[key] for key in values))
    return next(matching, CUSTOM_PRESET)


def _validate_numbers(data: dict[str, Any]) -> dict[str, str]:
    """Compare thresholds, windows and numbers of samples with each other."""
    errors = {}
    threshold, resolve_threshold = data.get("threshold"), data.get("resolve_threshold")
    if data.get("kind") == Rule.Kind.RATIO:
        for name, value in (("threshold", threshold), ("resolve_threshold", resolve_threshold)):
            if value is not None and not 0 <= value <= 1:
                errors[name] = f"比率写 0 到 1：5 % 写作 0.05。{value:g} 相当于 {100 * value:g} %，永远不会出现"
    if threshold is not None and resolve_threshold is not None and not errors:
        if data.get("comparison") == Rule.Comparison.ABOVE and resolve_threshold > threshold:
            errors["resolve_threshold"] = "高于才触发的规则，恢复阈值不能大于阈值"
        if data.get("comparison") == Rule.Comparison.BELOW and resolve_threshold < threshold:
            errors["resolve_threshold"] = "低于才触发的规则，恢复阈值不能小于阈值"
    window, widest = data.get("window_seconds"), data.get("widest_window_seconds")
    if window and widest and widest < window:
        errors["widest_window_seconds"] = "最宽时间窗不能比时间窗窄"
    least, enough = data.get("least_samples"), data.get("enough_samples")
    if least is not None and enough is not None and enough < least:
        errors["enough_samples"] = "足够的样本数不能小于最少样本数"
    return errors
