"""What people read of an alert: its figures, in few enough bytes, and nothing that somebody else's words could do."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from monitoring.delivery.messages import build_alert_message
from monitoring.delivery.text import is_http_url, neutralize_markup, to_one_line, truncate_utf8
from monitoring.models import Alert


def alert(**fields: Any) -> Alert:
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


def test_a_ratio_is_told_in_per_cent_with_its_interval_and_n(settings: Any) -> None:
    settings.SITE_URL = "https://site.example"
    text = build_alert_message(alert(), "repeated").to_text(9)
    assert "【错误·仍未解除】错误率过高（#9）" in text
    assert "当前值：12.5 %（区间 8.1 % 至 18.7 %），20 / n = 160" in text
    assert "阈值：高于 5 %" in text and "已持续：1 小时 2 分 " in text and "标签 platform：doubao" in text
    assert "https://site.example/admin/monitoring/alert/7/change/" in text


def test_the_end_of_an_incident_says_how_long_it_took() -> None:
    now = timezone.now()
    ended = alert(fired_at=now - timedelta(seconds=3725), resolved_at=now, value=None, rule_as_it_was={})
    text = build_alert_message(ended, "resolved").to_text(9)
    assert "已解除" in text and "共持续：1 小时 2 分 5 秒" in text and "解除于：" in text and "当前值" not in text


def test_a_value_that_is_no_number_is_told_as_none() -> None:
    assert "当前值：无" in build_alert_message(alert(value=float("nan"), low=None), "fired").to_text(9)


def test_a_link_cannot_be_ended_by_its_address_and_none_is_made_of_a_script() -> None:
    markdown = build_alert_message(alert(), "fired").to_markdown(9, 4096)
    assert "[处理手册](https://runbook.example/a%281%29)" in markdown
    script = build_alert_message(alert(runbook_url="javascript:alert(1)"), "fired")
    assert "javascript" not in script.to_markdown(9, 4096)


@pytest.mark.parametrize(
    "evil", ["@all", "<@all>", "<at id=all></at>", "[x](http://y)", "![x](http://y)", "`x`", "**x**"]
)
def test_what_others_wrote_mentions_nobody_and_marks_up_nothing(evil: str) -> None:
    message = build_alert_message(alert(title=evil, labels={evil: evil}, summary=evil, rule_name=evil), "fired")
    assert evil not in message.to_markdown(9, 4096)


@given(st.text(), st.integers(min_value=60, max_value=300))
def test_a_clipped_text_fits_and_no_character_is_cut(text: str, most: int) -> None:
    text = text.encode("utf-8", "ignore").decode()
    clipped = truncate_utf8(text * 40, most)
    assert len(clipped.encode()) <= most
    assert "\ufffd" not in clipped or "\ufffd" in text


@given(st.text())
def test_inert_text_has_nothing_that_a_robot_acts_on(text: str) -> None:
    assert not set("@<>[]*`#&|\\") & set(neutralize_markup(text)) and "://" not in neutralize_markup(text)
    assert not set("\r\n\x00\u202e") & set(to_one_line(text))


@pytest.mark.parametrize("address", ["", "ftp://x", "https://", "http://[", "x"])
def test_only_a_web_address_may_stand_behind_a_link(address: str) -> None:
    assert not is_http_url(address)
