"""The content of a notification, stored as facts and rendered as each channel needs it.

Values come from labels and rules, so they are untrusted: text.py removes mentions, links and markup from them.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from monitoring.delivery.text import is_http_url, neutralize_markup, to_one_line, truncate_utf8
from monitoring.formatting import format_duration
from monitoring.models import Alert
from monitoring.models.rules import AlertSeverity, Rule

KIND_LABELS = {
    "fired": "触发",
    "repeated": "仍未解除",
    "resolved": "已解除",
    "summary": "静默汇总",
    "test": "测试",
}
MAX_FACT_CHARACTERS = 600
MAX_LABEL_FACTS = 12
MAX_DETAIL_FACTS = 8


@dataclass(frozen=True)
class Message:
    """The content without the number, which the delivery adds.

    facts: (name, value) in display order, the name may be ""; links: (name, URL); notes: lines added by the outbox.
    """

    title: str
    kind: str
    severity: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Message":
        """Build a message from the JSON of a delivery."""
        pairs = {
            field: [(str(name), str(value)) for name, value in stored.get(field, [])] for field in ("facts", "links")
        }
        return cls(stored["title"], stored["kind"], stored["severity"], **pairs, notes=list(stored.get("notes", [])))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a delivery."""
        return asdict(self)

    def with_note(self, note: str) -> "Message":
        """Return a copy with one more note."""
        return Message(self.title, self.kind, self.severity, self.facts, self.links, [*self.notes, note])

    def headline(self, number: int) -> str:
        """Return the first line: severity, event, title, and the number that identifies a repeated delivery."""
        severity = AlertSeverity(self.severity).label if self.severity in AlertSeverity.values else self.severity
        kind = KIND_LABELS.get(self.kind, self.kind)
        return f"【{severity}·{kind}】{neutralize_markup(to_one_line(self.title))[:120]}（#{number}）"

    def to_markdown(self, number: int, max_bytes: int, *, has_headline: bool = True) -> str:
        """Return Markdown that DingTalk, WeCom and Feishu all support, in at most max_bytes of UTF-8."""
        lines = [f"**{self.headline(number)}**"] if has_headline else []
        lines += [f"> {neutralize_markup(note)}" for note in self.notes]
        lines += [
            f"- {_format_fact(neutralize_markup(name), neutralize_markup(to_one_line(value)))}"
            for name, value in self.facts
        ]
        lines += [f"[{neutralize_markup(name)}]({address})" for name, address in self.links if is_http_url(address)]
        return truncate_utf8("\n\n".join(lines), max_bytes)

    def to_text(self, number: int, max_bytes: int = 100_000) -> str:
        """Return plain text, for e-mail and channels without Markdown."""
        lines = [self.headline(number), "", *self.notes]
        lines += [_format_fact(name, to_one_line(value)) for name, value in self.facts]
        lines += [f"{name}：{address}" for name, address in self.links]
        return truncate_utf8("\n".join(lines), max_bytes)


def build_alert_message(alert: Alert, kind: str, text: str = "") -> Message:
    """Build the message of an alert that has fired, is repeated or is resolved; text: why it is sent now."""
    facts = [(name, value[:MAX_FACT_CHARACTERS]) for name, value in _iter_facts(alert, kind, text)]
    links = []
    if is_http_url(alert.runbook_url):
        # Quoted, so that no character ends the link in Markdown.
        links.append(("处理手册", quote(alert.runbook_url, safe=":/?#[]@!$&'*+,;=%~")))
    if settings.SITE_URL:
        links.append(("在后台查看", settings.SITE_URL + reverse("admin:monitoring_alert_change", args=[alert.pk])))
    return Message(alert.title, kind, alert.severity, facts, links)


def build_text_message(title: str, text: str, severity: str, kind: str = "summary") -> Message:
    """Build a message that belongs to no single alert, with one fact per line of text."""
    lines = [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip()]
    links = [("打开后台", settings.SITE_URL + reverse("admin:index"))] if settings.SITE_URL else []
    return Message(title, kind, severity, [("", line) for line in lines], links)


def _iter_facts(alert: Alert, kind: str, text: str) -> Iterable[tuple[str, str]]:
    if description := text or alert.summary:
        yield "说明", description
    if alert.value is not None:
        yield from _iter_values(alert, alert.value, kind)
    yield from (("明细", line) for line in alert.details[:MAX_DETAIL_FACTS])
    yield "编号", f"告警 #{alert.pk}，{alert.get_source_display()} {alert.rule_name}"
    yield "开始于", _format_time(alert.fired_at)
    if kind != "fired":
        seconds = ((alert.resolved_at or timezone.now()) - alert.fired_at).total_seconds()
        yield ("共持续" if alert.resolved_at else "已持续"), format_duration(seconds)
    if alert.resolved_at:
        yield "解除于", _format_time(alert.resolved_at)
    for name, label in list(alert.labels.items())[:MAX_LABEL_FACTS]:
        yield f"标签 {name}", str(label)


def _iter_values(alert: Alert, value: float, kind: str) -> Iterable[tuple[str, str]]:
    """Yield the value now, the worst one, the one that made it fire, and the threshold."""
    if kind != "fired":
        yield "当前值", _format_number(alert, alert.current_value)
        yield "最差值", _format_number(alert, alert.peak_value)
    text = _format_number(alert, value)
    if alert.low is not None and alert.high is not None:
        text += f"（区间 {_format_number(alert, alert.low)} 至 {_format_number(alert, alert.high)}）"
    if alert.numerator is not None and alert.denominator is not None:
        text += f"，{alert.numerator:g} / n = {alert.denominator:g}"
    yield "当前值" if kind == "fired" else "触发时的值", text
    threshold = alert.rule_as_it_was.get("threshold")
    if isinstance(threshold, int | float):
        comparison = {">": "高于", "<": "低于"}.get(str(alert.rule_as_it_was.get("comparison")), "")
        yield "阈值", f"{comparison} {_format_number(alert, threshold)}".strip()


def _format_number(alert: Alert, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "无"
    if alert.rule_as_it_was.get("kind") == Rule.Kind.RATIO:
        return f"{value * 100:.3g} %"
    return f"{value:.4g}"


def _format_fact(name: str, value: str) -> str:
    return f"{name}：{value}" if name else value


def _format_time(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"
