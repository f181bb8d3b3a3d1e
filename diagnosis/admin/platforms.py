"""The admin of platforms: settings that are checked before they are saved, pauses, and a test call."""

import json
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_POST

from diagnosis.choices import FailureReason, PlatformSurface, Thinking, WireProtocol
from diagnosis.models import Platform, PlatformQuerySet
from diagnosis.platforms.endpoint import (
    KEY_VARIABLE_PATTERN,
    has_usable_key,
    is_host_allowed,
    is_private_connection,
    is_valid_base_url,
)
from diagnosis.platforms.limits import load_lowered_limits
from diagnosis.platforms.protocols.base import CallProfile
from diagnosis.platforms.protocols.registry import PROTOCOLS
from diagnosis.platforms.protocols.validation import describe_search_options, find_profile_errors
from diagnosis.platforms.status import annotate_failures, describe_state, get_start_of_day
from diagnosis.running.single_call import make_single_call
from diagnosis.spending.overview import annotate_spending, format_money
from errors.audit import AuditedAdmin, log_action
from performance.circuit_breaker import REDIS_UNAVAILABLE_ERRORS

OPERATOR_PAUSE_DURATION = timedelta(hours=1)
CALLS_IN_FLIGHT = "已经发出的请求会正常完成、计费并保存；尚未发出的不再发出。"
TEST_QUESTION = "入门手冲咖啡壶推荐哪个牌子？"
MAX_TEST_SECONDS = 100.0  # less than a proxy waits
MAX_SHOWN_CHARACTERS = 50_000
# What belongs after the base URL, not into it.
_ENDPOINT_PATHS = ("/chat/completions", "/responses", "/messages", "/agent", "/generation", ":generateContent")


class PlatformForm(forms.ModelForm[Platform]):
    """A platform's row. Every refusal names the field that is wrong and what it may be."""

    class Meta:
        model = Platform
        fields = "__all__"
        widgets = {
            "search_options": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
            "extra_body": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        }

    def clean_base_url(self) -> str:
        """Check the address: scheme, host, and that it ends before the path of the protocol."""
        base_url: str = self.cleaned_data["base_url"].strip()
        if not base_url:
            if not self.instance.is_demo:
                raise forms.ValidationError("请填写接口地址，例如 https://api.example.com/v1")
            return base_url
        if not is_valid_base_url(base_url):
            raise forms.ValidationError(
                "这不是网址。请填写以 https:// 开头的接口地址，例如 https://api.example.com/v1，不带用户名、? 和 #"
            )
        if not is_private_connection(base_url):
            raise forms.ValidationError("接口地址必须以 https:// 开头，否则密钥会不加密地发送")
        host = urlsplit(base_url).hostname
        for ending in _ENDPOINT_PATHS:
            if base_url.rstrip("/").endswith(ending):
                raise forms.ValidationError(f"请去掉末尾的 {ending}：协议会自己加上路径")
        if not is_host_allowed(base_url):
            raise forms.ValidationError(
                f"主机 {host} 不在允许访问的名单里。请先把它加入环境变量 OUTGOING_HOSTS 并重启，再保存"
            )
        return base_url

    def clean_key_variable(self) -> str:
        """Check that the variable can only hold a platform's key."""
        name: str = self.cleaned_data["key_variable"].strip()
        if name and not KEY_VARIABLE_PATTERN.fullmatch(name):
            raise forms.ValidationError("名称必须以 _API_KEY 结尾，只含大写字母、数字和下划线，例如 DEEPSEEK_API_KEY")
        return name

    def clean_search_options(self) -> dict[str, Any]:
        return self._clean_object("search_options")

    def clean_extra_body(self) -> dict[str, Any]:
        return self._clean_object("extra_body")

    def _clean_object(self, name: str) -> dict[str, Any]:
        value = self.cleaned_data[name]
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            raise forms.ValidationError("必须是一个 JSON 对象，例如 {}")
        return value

    def clean(self) -> dict[str, Any]:
        """Check that the protocol can carry out the settings together."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        protocol = PROTOCOLS.get(cleaned.get("protocol", ""))
        if protocol is None or {"search_options", "extra_body", "surface", "thinking"} & set(self.errors):
            return cleaned
        profile = CallProfile(
            cleaned.get("base_url") or "",
            cleaned.get("model") or "",
            PlatformSurface(cleaned["surface"]),
            Thinking(cleaned["thinking"]),
            cleaned.get("country") or "",
            cleaned.get("max_answer_tokens"),
            cleaned["search_options"],
            cleaned["extra_body"],
        )
        for name, problem in find_profile_errors(protocol, profile).items():
            self.add_error(name, problem)
        return cleaned


class PausedFilter(admin.SimpleListFilter):
    """Filter by whether an enabled platform is paused now."""

    title = "是否暂停"
    parameter_name = "paused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("yes", "暂停中")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Platform]) -> QuerySet[Platform]:
        """Apply the choice, as `Platform.objects.paused` defines it."""
        return cast(PlatformQuerySet, queryset).paused() if self.value() == "yes" else queryset


@admin.register(Platform)
class PlatformAdmin(AuditedAdmin[Platform]):
    """Platforms with address, protocol, model, limits and prices; keys stay in the environment."""

    form = PlatformForm
    change_form_template = "admin/diagnosis/platform/change_form.html"
    list_display = [
        "title",
        "surface",
        "model",
        "state",
        "key_state",
        "is_offered_in_miniprogram",
        "host_state",
        "calls_today",
        "failures_today",
        "cost_today",
        "used_budget",
    ]
    list_filter = [
        PausedFilter,
        *("is_enabled", "is_offered_on_web", "is_offered_in_miniprogram", "surface", "protocol", "is_demo"),
    ]
    search_fields = ["id", "name", "model"]
    fieldsets = [
        (None, {"fields": ["id", "name", "is_enabled", "is_demo", "position", "notice"]}),
        (
            "在哪里提供",
            {
                "fields": ["is_offered_on_web", "is_offered_in_miniprogram", "filing_number"],
                "description": "新建的平台默认不在小程序提供：请确认模型已备案、填好备案号后再勾选。",
            },
        ),
        ("接口", {"fields": ["protocol", "base_url", "model", "key_variable", "key_state"]}),
        (
            "怎么问",
            {
                "fields": [
                    "surface",
                    "search_options",
                    "option_help",
                    "thinking",
                    "country",
                    "max_answer_tokens",
                    "extra_body",
                ],
                "description": "这里的任何改动都会开始一组新的测量：趋势会在改动处断开并注明。",
            },
        ),
        ("限额与超时", {"fields": ["concurrency", "requests_per_minute", "timeout_seconds", "typical_seconds"]}),
        (
            "价格与预算",
            {
                "fields": [
                    "price_per_call",
                    "price_per_million_input_tokens",
                    "price_per_million_output_tokens",
                    "price_per_search",
                    "max_input_tokens",
                    "max_output_tokens",
                    "max_searches",
                    "monthly_budget",
                ]
            },
        ),
        ("状态", {"fields": ["paused_until", "pause_reason", "present_limits"]}),
    ]
    actions = ["pause", "resume"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Platform]:
        """Annotate the platforms with their spending, and with today's calls and failures."""
        return annotate_failures(annotate_spending(super().get_queryset(request)))

    @admin.display(description="名称", ordering="name")
    def title(self, platform: Platform) -> str:
        """Return the name with its id, and whether it is the demo platform."""
        return f"{platform}（{platform.pk}）"

    @admin.display(description="状态", ordering="paused_until")
    def state(self, platform: Platform) -> str:
        """Return whether it is called now, and if not, why and until when."""
        if not (platform.is_enabled and platform.is_paused and platform.paused_until):
            return describe_state(platform)
        return f"{describe_state(platform)}，至 {timezone.localtime(platform.paused_until):%m-%d %H:%M}"

    @admin.display(description="主机")
    def host_state(self, platform: Platform) -> str:
        """Return whether the site may call its host."""
        host = urlsplit(platform.base_url).hostname
        if not host:
            return "本站" if platform.is_demo else "没有接口地址"
        return "允许" if is_host_allowed(platform.base_url) else f"{host} 不在 OUTGOING_HOSTS 里"

    @admin.display(description="今日调用", ordering="calls_today")
    def calls_today(self, platform: Platform) -> int:
        return platform.calls_today or 0  # type: ignore[attr-defined]

    @admin.display(description="今日失败", ordering="failures_today")
    def failures_today(self, platform: Platform) -> int:
        return platform.failures_today  # type: ignore[attr-defined,no-any-return]

    @admin.display(description="今日失败", ordering="failures_today")
    def failures_link(self, platform: Platform) -> SafeString:
        """Return the number of answers that failed today, as a link to them."""
        start = get_start_of_day().isoformat()
        query = {"platform__id__exact": platform.pk, "state__exact": "failed", "answered_at__gte": start}
        url = f"{reverse('admin:diagnosis_answer_changelist')}?{urlencode(query)}"
        return format_html('<a href="{}">{}</a>', url, self.failures_today(platform))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Link to answers for those who may see them."""
        if not request.user.has_perm("diagnosis.view_answer"):
            return list(self.list_display)
        return ["failures_link" if name == "failures_today" else name for name in self.list_display]

    @admin.display(description="今日费用（元）", ordering="cost_today")
    def cost_today(self, platform: Platform) -> str:
        return format_money(platform.cost_today)  # type: ignore[attr-defined]

    @admin.display(description="本月费用 / 预算（元）", ordering="cost_of_month")
    def used_budget(self, platform: Platform) -> str:
        budget = "不限" if platform.monthly_budget is None else format_money(platform.monthly_budget)
        return f"{format_money(platform.cost_of_month)} / {budget}"  # type: ignore[attr-defined]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Leave it to the operator to offer a new platform in the mini-program."""
        return {"is_offered_in_miniprogram": False} | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Platform | None = None) -> list[str]:
        """Make the id of an existing platform read-only, as answers refer to it."""
        computed = ["is_demo", "notice", "key_state", "option_help", "present_limits"]
        return computed if obj is None else ["id", *computed]

    @admin.display(description="密钥")
    def key_state(self, platform: Platform) -> str:
        """Return whether the key is there; never the key."""
        if platform.is_demo:
            return "不需要"
        if not platform.key_variable:
            return "没有填写环境变量名"
        return "已设置" if has_usable_key(platform) else f"环境变量 {platform.key_variable} 没有设置或不能用"

    @admin.display(description="当前限额")
    def present_limits(self, platform: Platform) -> str:
        """Return the limits in force, which are lower after the platform refused calls."""
        try:
            lowered = load_lowered_limits(platform)
        except REDIS_UNAVAILABLE_ERRORS:
            return "未知：无法连接 Redis"
        if lowered is None:
            return f"同时 {platform.concurrency} 个请求，没有被限速"
        text = f"被限速：同时 {lowered.max_concurrent} 个，每分钟约 {lowered.calls_per_minute:.0f} 个请求，会慢慢恢复"
        return f"{text}；{lowered.cool_down_seconds:.0f} 秒内不再请求" if lowered.cool_down_seconds > 0 else text

    @admin.display(description="各协议的搜索选项")
    def option_help(self, platform: Platform) -> SafeString:
        """Return the search options of each protocol that has some."""
        lines = [
            f"<li>{WireProtocol(name).label}：{describe_search_options(protocol)}</li>"
            for name, protocol in PROTOCOLS.items()
            if describe_search_options(protocol)
        ]
        return mark_safe(f"<ul>{''.join(lines)}</ul>")

    def save_model(self, request: HttpRequest, obj: Platform, form: Any, change: bool) -> None:
        """Save, and say when the row cannot be used yet."""
        if obj.is_enabled and not has_usable_key(obj):
            name = obj.key_variable or "密钥的环境变量"
            self.message_user(request, f"已保存，但 {name} 没有设置，平台还不能使用。", messages.WARNING)
        if change and form.changed_data:
            self.message_user(
                request, "改动一秒内对所有进程生效。已经发出的请求会正常完成、计费并保存。", messages.INFO
            )
        super().save_model(request, obj, form, change)

    @admin.action(description="暂停所选平台一小时", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Platform]) -> None:
        platforms = cast(PlatformQuerySet, queryset)
        count = platforms.pause(timezone.now() + OPERATOR_PAUSE_DURATION, FailureReason.OPERATOR)
        self.message_user(request, f"已暂停 {count} 个平台，到时自动恢复。{CALLS_IN_FLIGHT}", messages.SUCCESS)
        if longer := len(queryset) - count:
            self.message_user(request, f"另有 {longer} 个平台已暂停更久，没有缩短。", messages.INFO)

    @admin.action(description="恢复所选平台", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Platform]) -> None:
        count = queryset.update(paused_until=None, pause_reason="")
        self.message_user(request, f"已恢复 {count} 个平台。", messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        """Add the test call."""
        view = self.admin_site.admin_view(require_POST(self.test_view))
        return [path("<slug:platform_id>/test/", view, name="diagnosis_platform_test"), *super().get_urls()]

    def test_view(self, request: HttpRequest, platform_id: str) -> HttpResponse:
        """Make one call with the saved settings; show what was sent, what came back and how it was read."""
        platform = get_object_or_404(Platform, pk=platform_id)
        if not self.has_change_permission(request, platform):
            raise PermissionDenied
        log_action(self, request, platform, "测试调用一次")
        call = make_single_call(platform, TEST_QUESTION, max_seconds=MAX_TEST_SECONDS)
        context = {
            **self.admin_site.each_context(request),
            "title": f"测试 {platform}",
            "call": call,
            "reason": FailureReason(call.failure.reason).label if call.failure else "",
            "happened": call.reply.search.happened.label if call.reply else "",
            "steps": [{name: _format_json(part) for name, part in step.items()} for step in call.steps],
        }
        return TemplateResponse(request, "admin/diagnosis/platform/test.html", context)


def _format_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)[:MAX_SHOWN_CHARACTERS]
