"""The form of a platform: every refusal names the field that is wrong."""

import re
from datetime import timedelta
from html import unescape
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnosis import migrations
from diagnosis.models import Answer, DailySpending, Platform
from testing.data.diagnoses import (
    API_KEY_VARIABLE,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_user,
    make_valid_result,
    run_and_end,
)

pytestmark = pytest.mark.django_db


def _post(admin_client: Client, **changes: Any) -> Any:
    """Change a platform in the admin."""
    form = {
        "name": "平台",
        "is_enabled": "on",
        "position": 1,
        "protocol": "zhipu",
        "base_url": "https://open.bigmodel.cn/api/paas/v4",
        "model": "glm-5.3",
        "key_variable": API_KEY_VARIABLE,
        "surface": "search",
        "search_options": '{"count": 5}',
        "thinking": "off",
        "country": "",
        "max_answer_tokens": "",
        "extra_body": "{}",
        "concurrency": 5,
        "requests_per_minute": 60,
        "timeout_seconds": "",
        "typical_seconds": 10,
        "price_per_call": 0,
        "price_per_million_input_tokens": 0,
        "price_per_million_output_tokens": 0,
        "price_per_search": 0,
        "max_input_tokens": "",
        "max_output_tokens": 8192,
        "max_searches": 5,
        "monthly_budget": "",
        "pause_reason": "",
    }
    return admin_client.post(reverse("admin:diagnosis_platform_change", args=["fake"]), form | changes)


def test_valid_settings_are_saved(admin_client: Client) -> None:
    make_platform()
    assert _post(admin_client).status_code == 302
    platform = Platform.objects.get(pk="fake")
    assert (platform.protocol, platform.surface, platform.search_options) == ("zhipu", "search", {"count": 5})
    assert platform.call_timeout_seconds == 240


@pytest.mark.parametrize(
    ("field", "changes", "part"),
    [
        ("base_url", {"base_url": ""}, "请填写接口地址"),
        ("base_url", {"base_url": "open.bigmodel.cn/v4"}, "这不是网址"),
        ("base_url", {"base_url": "https://open.bigmodel.cn:x/v4"}, "这不是网址"),
        ("base_url", {"base_url": "https://open.bigmodel.cn/v4/chat/completions"}, "/chat/completions"),
        ("base_url", {"base_url": "https://evil.example/v1"}, "OUTGOING_HOSTS"),
        ("base_url", {"base_url": "https://user:secret@open.bigmodel.cn/v4"}, "这不是网址"),
        ("base_url", {"base_url": "https://open.bigmodel.cn/v4?key=secret"}, "这不是网址"),
        ("key_variable", {"key_variable": "SECRET_KEY"}, "_API_KEY"),
        ("key_variable", {"key_variable": "DATABASE_URL"}, "_API_KEY"),
        ("key_variable", {"key_variable": "X_API_KEY_OLD"}, "_API_KEY"),
        ("search_options", {"search_options": "[1]"}, "JSON 对象"),
        ("search_options", {"search_options": "{"}, "JSON"),
        ("search_options", {"search_options": '{"counts": 5}'}, "counts"),
        ("search_options", {"surface": "memory"}, "不联网"),
        ("extra_body", {"extra_body": '{"model": "x"}'}, "model"),
        ("extra_body", {"extra_body": "3"}, "JSON 对象"),
        ("surface", {"surface": "app", "search_options": "{}"}, "只支持"),
        ("thinking", {"protocol": "chat", "surface": "memory", "search_options": "{}"}, "思考设置"),
        ("country", {"country": "CN"}, "留空"),
        ("timeout_seconds", {"timeout_seconds": 9999}, "600"),
    ],
)
def test_each_fault_is_shown_at_its_field(admin_client: Client, field: str, changes: dict[str, Any], part: str) -> None:
    make_platform()
    response = _post(admin_client, **changes)
    errors = response.context["adminform"].form.errors
    assert list(errors) == [field]
    assert part in str(errors[field])


def test_a_missing_key_is_said_and_the_key_never_shown(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    make_platform()
    monkeypatch.delenv(API_KEY_VARIABLE)
    page = admin_client.get(reverse("admin:diagnosis_platform_changelist")).content.decode()
    assert f"环境变量 {API_KEY_VARIABLE} 没有设置" in page
    response = _post(admin_client)
    assert response.status_code == 302
    assert "平台还不能使用" in str(list(response.wsgi_request._messages))


def test_list_shows_key_host_state_calls_failures_cost_and_budget(admin_client: Client, settings: Any) -> None:
    settings.OUTGOING_HOSTS = ["127.0.0.1", "10.0.0.0/8"]
    make_platform("own", base_url="https://10.1.2.3/v1", monthly_budget=20)
    make_platform("forbidden", base_url="https://evil.example/v1", paused_until=timezone.now() + timedelta(hours=1))
    platform = Platform.objects.get(pk="own")
    diagnosis = make_diagnosis(make_user("owner"), [platform], questions=["甲？", "乙？", "丙？"])
    run_and_end(diagnosis, make_failed_result(), make_failed_result(), make_valid_result())
    Answer.objects.filter(question__text="乙？").update(answered_at=timezone.now() - timedelta(days=2))
    today = timezone.localdate()
    DailySpending.objects.create(day=today, platform=platform, purpose="answer", calls=3, cost="0.5")
    DailySpending.objects.create(day=today, platform=platform, purpose="probe", calls=1, cost="0.1")
    DailySpending.objects.create(day=today - timedelta(days=1), platform=platform, purpose="probe", calls=9, cost="9")
    response = admin_client.get(reverse("admin:diagnosis_platform_changelist"))
    text = response.content.decode()
    row = next(row for row in response.context["cl"].result_list if row.pk == "own")
    assert (row.calls_today, row.failures_today, str(row.cost_today)) == (4, 1, "0.600000")
    for part in ("已设置", "允许", "evil.example 不在 OUTGOING_HOSTS 里", "已暂停", "0.60", "– / 20.00"):
        assert part in text, part
    link = re.search(r'href="(/admin/diagnosis/answer/[^"]*platform__id__exact=own[^"]*)">1</a>', text)
    assert link
    assert admin_client.get(unescape(link.group(1))).context["cl"].result_count == 1


def test_switched_off_models_are_moved_and_other_settings_kept() -> None:
    rows: dict[str, dict[str, Any]] = {
        "kimi": {"base_url": "https://api.moonshot.cn/v1", "model": "moonshot-v1-32k", "concurrency": 2},
        "old": {"base_url": "https://api.hunyuan.cloud.tencent.com/v1", "model": "hunyuan-turbo"},
        "mine": {"base_url": "https://gateway.example/v1", "model": "deepseek-chat"},
        "today": {"base_url": "https://api.deepseek.com", "model": "deepseek-flash"},
    }
    for pk, columns in rows.items():
        make_platform(pk, **columns)
    (path,) = Path(migrations.__file__ or "").parent.glob("*_retired_models.py")
    migration = import_module(f"diagnosis.migrations.{path.stem}")
    migration.move_retired_models(apps, SimpleNamespace(connection=connection))
    moved = {platform.pk: platform for platform in Platform.objects.filter(pk__in=rows)}
    assert (moved["kimi"].model, moved["kimi"].concurrency) == ("kimi-k2.6", 2)
    assert "moonshot-v1-32k" in moved["kimi"].notice
    assert (moved["old"].model, "tokenhub" in moved["old"].notice) == ("hunyuan-turbo", True)
    assert [(moved[pk].model, moved[pk].notice) for pk in ("mine", "today")] == [
        ("deepseek-chat", ""),
        ("deepseek-flash", ""),
    ]
