"""What people read: a message of an alert, kept as facts, and rendered as the channels want it.

Values come from labels and rules, so from anybody: nothing in them may mention people, make links or mark up.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

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
_TRUNCATION_SUFFIX = "…（内容过长，已截断）"


@dataclass(frozen=True)
class Message:
    """What is told, without the number, which it gets with its delivery.

    facts: (name, value) in the order in which they are read, the name may be ""; links: (name, address); notes: lines
    of our own.
    """

    title: str
    kind: str
    severity: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Message":
        """What a delivery holds."""
        pairs = {name: [(str(one), str(other)) for one, other in stored.get(name, [])] for name in ("facts", "links")}
        return cls(stored["title"], stored["kind"], stored["severity"], **pairs, notes=list(stored.get("notes", [])))

    def to_dict(self) -> dict[str, Any]:
        """For a delivery's JSON."""
        return asdict(self)

    def with_note(self, note: str) -> "Message":
        """The same with a line more."""
        return Message(self.title, self.kind, self.severity, self.facts, self.links, [*self.notes, note])

    def headline(self, number: int) -> str:
        """The first line: how bad, what, and the number by which a repeat is recognised."""
        severity = AlertSeverity(self.severity).label if self.severity in AlertSeverity.values else self.severity
        kind = KIND_LABELS.get(self.kind, self.kind)
        return f"【{severity}·{kind}】{neutralize_markup(to_one_line(self.title))[:120]}（#{number}）"

    def markdown(self, number: int, max_bytes: int, *, has_headline: bool = True) -> str:
        """For the robots: what DingTalk, WeCom and Feishu all understand, in at most so many bytes of UTF-8."""
        lines = [f"**{self.headline(number)}**"] if has_headline else []
        lines += [f"> {neutralize_markup(note)}" for note in self.notes]
        lines += [
            f"- {_format_fact(neutralize_markup(name), neutralize_markup(to_one_line(value)))}"
            for name, value in self.facts
        ]
        lines += [f"[{neutralize_markup(name)}]({address})" for name, address in self.links if is_http_url(address)]
        return truncate_utf8("\n\n".join(lines), max_bytes)

    def text(self, number: int, max_bytes: int = 100_000) -> str:
        """Plain, for e-mail and the rest."""
        lines = [self.headline(number), "", *self.notes]
        lines += [_format_fact(name, to_one_line(value)) for name, value in self.facts]
        lines += [f"{name}：{address}" for name, address in self.links]
        return truncate_utf8("\n".join(lines), max_bytes)


def build_alert_message(alert: Alert, kind: str) -> Message:
    """What is told of an alert when it has fired, goes on or is resolved."""
    facts = [*_build_facts(alert), *_build_time_facts(alert, kind)]
    facts += [(f"标签 {name}", str(value)) for name, value in list(alert.labels.items())[:MAX_LABEL_FACTS]]
    links = [("处理手册", _quote_url(alert.runbook_url))] if is_http_url(alert.runbook_url) else []
    if settings.SITE_URL:
        links.append(("在后台查看", settings.SITE_URL + reverse("admin:monitoring_alert_change", args=[alert.pk])))
    return Message(
        alert.title, kind, alert.severity, [(name, value[:MAX_FACT_CHARACTERS]) for name, value in facts], links
    )


def build_text_message(title: str, text: str, severity: str, kind: str = "summary") -> Message:
    """What is told without an alert of its own, a fact a line."""
    lines = [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip()]
    links = [("打开后台", settings.SITE_URL + reverse("admin:index"))] if settings.SITE_URL else []
    return Message(title, kind, severity, [("", line) for line in lines], links)


def _build_facts(alert: Alert) -> Iterable[tuple[str, str]]:
    if alert.summary:
        yield "说明", alert.summary
    if alert.value is not None:
        yield "当前值", _format_alert_value(alert)
    threshold = alert.rule_as_it_was.get("threshold")
    if isinstance(threshold, int | float):
        comparison = {">": "高于", "<": "低于"}.get(str(alert.rule_as_it_was.get("comparison")), "")
        yield "阈值", f"{comparison} {_format_number(alert, threshold)}".strip()
    yield "编号", f"告警 #{alert.pk}，{alert.get_source_display()} {alert.rule_name}"


def _format_alert_value(alert: Alert) -> str:
    text = _format_number(alert, alert.value)
    if alert.low is not None and alert.high is not None:
        text += f"（区间 {_format_number(alert, alert.low)} 至 {_format_number(alert, alert.high)}）"
    if alert.numerator is not None and alert.denominator is not None:
        text += f"，{alert.numerator:g} / n = {alert.denominator:g}"
    return text


def _format_number(alert: Alert, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "无"
    if alert.rule_as_it_was.get("kind") == Rule.Kind.RATIO:
        return f"{value * 100:.3g} %"
    return f"{value:.4g}"


def _build_time_facts(alert: Alert, kind: str) -> Iterable[tuple[str, str]]:
    yield "开始于", _format_time(alert.fired_at)
    until = alert.resolved_at or timezone.now()
    if kind != "fired":
        yield ("共持续" if alert.resolved_at else "已持续"), _format_duration((until - alert.fired_at).total_seconds())
    if alert.resolved_at:
        yield "解除于", _format_time(alert.resolved_at)


def _format_fact(name: str, value: str) -> str:
    return f"{name}：{value}" if name else value


def _format_time(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


def _format_duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} 小时 " if hours else "") + (f"{minutes} 分 " if hours or minutes else "") + f"{rest} 秒"


# Full-width forms read the same, and no robot takes them for markup, a mention, a tag or an address.
_MARKUP_REPLACEMENTS = str.maketrans("@<>[]*`#&|\\", "＠＜＞［］＊｀＃＆｜＼")


def neutralize_markup(text: str) -> str:
    """A value that mentions nobody, links nowhere and marks up nothing, whoever wrote it."""
    return text.translate(_MARKUP_REPLACEMENTS).replace("://", "：//")


def to_one_line(text: str) -> str:
    """Without line ends and control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]", " ", text).split())


def is_http_url(address: str) -> bool:
    """Whether it may stand behind a link."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _quote_url(address: str) -> str:
    """Without what would end a link in Markdown."""
    return quote(address, safe=":/?#[]@!$&'*+,;=%~")


def truncate_utf8(text: str, max_bytes: int) -> str:
    """At most so many bytes of UTF-8, no character cut in two, and said to be cut."""
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    return data[: max_bytes - len(_TRUNCATION_SUFFIX.encode())].decode(errors="ignore") + _TRUNCATION_SUFFIX


def to_json_bytes(body: Any) -> bytes:
    """A body as it goes out: compact, Chinese as it is."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
