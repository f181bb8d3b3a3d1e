"""The form of a rule: metrics are chosen from the registry, and what could never fire is refused."""

from typing import Any

from django import forms

from monitoring.matching import faults_of_matchers
from monitoring.models import Rule
from monitoring.registry import Metric, catalogue

FITTING = {Rule.Kind.RATIO: "counter", Rule.Kind.MEAN: "histogram", Rule.Kind.GAUGE: "gauge"}
_GROUPS = {"counter": "计数（比率）", "histogram": "直方图（平均值）", "gauge": "仪表（当前值）"}


class Matchers(forms.Textarea):
    """JSON that a script turns into rows to fill in."""

    def __init__(self, **attrs: str) -> None:
        super().__init__({"rows": 4, "cols": 80, "data-matchers": "yes", **attrs})


class RuleForm(forms.ModelForm[Rule]):
    """As it is stored, checked as a whole."""

    class Meta:
        model = Rule
        fields = "__all__"
        widgets = {
            "description": forms.Textarea({"rows": 2, "cols": 80}),
            "matchers": Matchers(**{"data-metric": "id_metric"}),
            "denominator_matchers": Matchers(**{"data-metric": "id_denominator"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metrics = catalogue()
        if "metric" not in self.fields:
            return  # shown, not edited
        for name, kinds in (("metric", list(_GROUPS)), ("denominator", ["counter"])):
            self.fields[name].widget = forms.Select(choices=self._choices(name, kinds))

    def _choices(self, name: str, kinds: list[str]) -> list[Any]:
        groups: list[Any] = [("", "---------")]
        for kind in kinds:
            metrics = [one for one in self.metrics.values() if one.kind == kind]
            groups.append((_GROUPS[kind], [(one.name, _described(one)) for one in metrics]))
        current = getattr(self.instance, name)
        if current and current not in self.metrics:
            groups.append((current, f"{current}（已不存在）"))
        return groups

    def clean(self) -> dict[str, Any]:
        """Refuse what could not be evaluated, or could never fire or resolve."""
        data = super().clean() or {}
        for faults in (self._metrics(data), _thresholds(data), _windows(data)):
            for name, fault in faults.items():
                if name in self.fields and name not in self.errors:
                    self.add_error(name, fault)
        return data

    def _metrics(self, data: dict[str, Any]) -> dict[str, str]:
        """Names that exist, of a kind that fits, with labels that they have."""
        kind, faults = data.get("kind", ""), {}
        used = {"metric": "matchers"}
        if kind == Rule.Kind.RATIO:
            used["denominator"] = "denominator_matchers"
        elif data.get("denominator"):
            faults["denominator"] = "只有比率才有分母，请留空"
        for field, matchers in used.items():
            name = data.get(field) or (data.get("metric") if field == "denominator" else "") or ""
            if fault := self._fault_of_metric(name, kind):
                faults[field] = fault
            elif fault := _fault_of_labels(data.get(matchers), self.metrics[name]):
                faults[matchers] = fault
        return faults

    def _fault_of_metric(self, name: str, kind: str) -> str:
        metric = self.metrics.get(name)
        if metric is None:
            return f"没有“{name}”这个指标，请从列表里选" if name else "请选择指标"
        wanted = FITTING.get(Rule.Kind(kind)) if kind in Rule.Kind.values else None
        if wanted and metric.kind != wanted:
            return f"{Rule.Kind(kind).label}要用{_GROUPS[wanted][:2]}类指标，{name} 是{_GROUPS[metric.kind][:2]}"
        return ""


def _described(metric: Metric) -> str:
    labels = f"（{', '.join(metric.labels)}）" if metric.labels else ""
    return f"{metric.name}{labels}"


def _fault_of_labels(matchers: Any, metric: Metric) -> str:
    faults = faults_of_matchers([] if matchers is None else matchers)
    if faults:
        return "；".join(faults)
    unknown = sorted({one["label"] for one in matchers or []} - set(metric.labels))
    known = "、".join(metric.labels) or "无"
    return f"{metric.name} 没有标签 {'、'.join(unknown)}；它的标签：{known}" if unknown else ""


def _thresholds(data: dict[str, Any]) -> dict[str, str]:
    faults = {}
    threshold, back = data.get("threshold"), data.get("resolve_threshold")
    if data.get("kind") == Rule.Kind.RATIO:
        for name, value in (("threshold", threshold), ("resolve_threshold", back)):
            if value is not None and not 0 <= value <= 1:
                faults[name] = f"比率写 0 到 1：5 % 写作 0.05。{value:g} 相当于 {100 * value:g} %，永远不会出现"
    if threshold is None or back is None or faults:
        return faults
    if data.get("comparison") == Rule.Comparison.ABOVE and back > threshold:
        faults["resolve_threshold"] = "高于才触发的规则，恢复阈值不能大于阈值"
    if data.get("comparison") == Rule.Comparison.BELOW and back < threshold:
        faults["resolve_threshold"] = "低于才触发的规则，恢复阈值不能小于阈值"
    return faults


def _windows(data: dict[str, Any]) -> dict[str, str]:
    faults = {}
    window, widest = data.get("window_seconds"), data.get("widest_window_seconds")
    if window and widest and widest < window:
        faults["widest_window_seconds"] = "最宽时间窗不能比时间窗窄"
    least, enough = data.get("least_samples"), data.get("enough_samples")
    if least is not None and enough is not None and enough < least:
        faults["enough_samples"] = "足够的样本数不能小于最少样本数"
    return faults
