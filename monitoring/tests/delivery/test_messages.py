"""Content of alert messages: values, length limits, and neutralized markup."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from monitoring.delivery.messages import build_alert_message
from monitoring.delivery.text import is_http_url, neutralize_markup, to_one_line, truncate_utf8
from monitoring.models import Alert


def make_alert(**fields: Any) -> Alert:
    row = {
        "pk": 7,
        "rule_name": "high_error_rate",
        "title": "错误率过高",
        "severity": "error",
        "rule_as_it_was": {"kind": "ratio", "threshold": 0.05, "comparison": ">"},
        "value": 0.125,
        "low": 0.081,
        "high": 0.187,
        "numerator": 20,
        "denominator": 160,
        "labels": {"platform": "doubao"},
        "runbook_url": "https://runbook.example/a(1)",
        "fired_at": timezone.now() - timedelta(seconds=3725),
    }
    return Alert(**row | fields)


def test_ratio_is_shown_in_percent_with_interval_and_sample_count(settings: Any) -> None:
    settings.SITE_URL = "https://site.example"
    text = build_alert_message(make_alert(), "repeated").to_text(9)
    assert "【错误·仍未解除】错误率过高（#9）" in text
    assert "触发时的值：12.5 %（区间 8.1 % 至 18.7 %），20 / n = 160" in text
    assert "阈值：高于 5 %" in text and "已持续：1 小时 2 分 " in text and "标签 platform：doubao" in text
    assert "https://site.example/admin/monitoring/alert/7/change/" in text


def test_resolved_message_contains_the_duration() -> None:
    now = timezone.now()
    ended = make_alert(fired_at=now - timedelta(seconds=3725), resolved_at=now, value=None, rule_as_it_was={})
    text = build_alert_message(ended, "resolved").to_text(9)
    assert "已解除" in text and "共持续：1 小时 2 分 5 秒" in text and "解除于：" in text and "当前值" not in text


def test_nan_is_shown_as_missing() -> None:
    assert "当前值：无" in build_alert_message(make_alert(value=float("nan"), low=None), "fired").to_text(9)


def test_links_are_quoted_and_script_urls_dropped() -> None:
    markdown = build_alert_message(make_alert(), "fired").to_markdown(9, 4096)
    assert "[处理手册](https://runbook.example/a%281%29)" in markdown
    script = build_alert_message(make_alert(runbook_url="javascript:alert(1)"), "fired")
    assert "javascript" not in script.to_markdown(9, 4096)


@pytest.mark.parametrize(
    "evil", ["@all", "<@all>", "<at id=all></at>", "[x](http://y)", "![x](http://y)", "`x`", "**x**"]
)
def test_untrusted_text_creates_no_mentions_or_markup(evil: str) -> None:
    message = build_alert_message(make_alert(title=evil, labels={evil: evil}, summary=evil, rule_name=evil), "fired")
    assert evil not in message.to_markdown(9, 4096)


@given(st.text(), st.integers(min_value=60, max_value=300))
def test_truncated_text_fits_and_keeps_characters_whole(text: str, max_bytes: int) -> None:
    text = text.encode("utf-8", "ignore").decode()
    truncated = truncate_utf8(text * 40, max_bytes)
    assert len(truncated.encode()) <= max_bytes
    assert "\ufffd" not in truncated or "\ufffd" in text


@given(st.text())
def test_neutralized_text_has_no_special_characters(text: str) -> None:
    assert not set("@<>[]*`#&|\\") & set(neutralize_markup(text)) and "://" not in neutralize_markup(text)
    assert not set("\r\n\x00\u202e") & set(to_one_line(text))


@pytest.mark.parametrize("address", ["", "ftp://x", "https://", "http://[", "x"])
def test_invalid_urls_are_rejected(address: str) -> None:
    assert not is_http_url(address)
