"""Notification channels: write-only URLs and keys, and a button that sends a test message."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.views.decorators.http import require_POST

from errors.audit import AuditedAdmin, log_action
from monitoring.delivery.channel_check import send_test_message
from monitoring.delivery.channel_secrets import decrypt_secrets, encrypt_secrets
from monitoring.delivery.channels import TRANSPORTS, parse_recipients
from monitoring.delivery.channels.base import ADDRESS, KEY
from monitoring.exceptions import DeliveryFailed, SecretsDecryptionFailed
from monitoring.models import Channel

SECRET_SAVED_HELP_TEXT = "已保存，不显示；留空则不变"
CHANNEL_FIELD_LABELS = {ADDRESS: "地址", KEY: "密钥", "recipients": "收件人"}


def _build_secret_field(label: str) -> forms.CharField:
    """Build a write-only field: its value is never rendered, not even after a validation error."""
    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "size": 80})
    return forms.CharField(label=label, required=False, max_length=600, strip=True, widget=widget)


class ChannelForm(forms.ModelForm[Channel]):
    """Requires the fields of the kind, drops those that it does not accept, and shows every error at its field."""

    address = _build_secret_field("地址")
    key = _build_secret_field("密钥")
    forget_key = forms.BooleanField(label="删除已保存的密钥", required=False)

    class Meta:
        model = Channel
        fields = ["name", "kind", "recipients", "is_enabled", "is_default", "fallback"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            self.saved_secrets = decrypt_secrets(self.instance.secrets)
        except SecretsDecryptionFailed:
            self.saved_secrets = {}
        for name in (ADDRESS, KEY):
            if name in self.saved_secrets:
                self.fields[name].help_text = SECRET_SAVED_HELP_TEXT
        self.fields["fallback"].queryset = Channel.objects.exclude(pk=self.instance.pk)  # type: ignore[attr-defined]
        if KEY not in self.saved_secrets:
            self.fields["forget_key"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        """Validate against the kind; saved secrets count as filled unless the kind changes."""
        cleaned = super().clean() or self.cleaned_data
        if "kind" not in cleaned:
            return cleaned
        transport = TRANSPORTS[cleaned["kind"]]
        saved_secrets = {} if "kind" in self.changed_data else self.saved_secrets
        entered = {
            name: cleaned.get(name) or saved_secrets.get(name, "")
            for name in (ADDRESS, KEY)
            if name in transport.accepted_fields
        }
        if cleaned.get("forget_key") and not cleaned.get(KEY):
            entered.pop(KEY, None)
        recipients = parse_recipients(cleaned.get("recipients", ""))
        filled = {name for name, value in entered.items() if value} | ({"recipients"} if recipients else set())
        for name in sorted(transport.required_fields - filled):
            self.add_error(name, f"{Channel.Kind(cleaned['kind']).label}需要填写{CHANNEL_FIELD_LABELS[name]}")
        for name, error in transport.validate(entered, recipients).items():
            self.add_error(name, error)
        self.instance.secrets = encrypt_secrets(entered)
        fallback: Channel | None = cleaned.get("fallback")
        if fallback and self.instance.pk in {channel.pk for channel in (fallback, *fallback.iter_fallbacks())}:
            self.add_error("fallback", "备用渠道绕回了自己，请另选一个")
        return cleaned


@admin.register(Channel)
class ChannelAdmin(AuditedAdmin[Channel]):
    """The channels with their status and a test message."""

    form = ChannelForm
    change_form_template = "admin/monitoring/channel/change_form.html"
    list_display = ["name", "kind", "is_enabled", "is_default", "fallback", "last_sent_at", "problem"]
    list_filter = ["kind", "is_enabled"]
    list_select_related = ["fallback"]
    readonly_fields = ["disabled_reason", "last_sent_at", "last_error"]
    fieldsets = [
        (None, {"fields": ["name", "kind", "hints"]}),
        ("发到哪里", {"fields": ["address", "key", "forget_key", "recipients"]}),
        ("何时使用", {"fields": ["is_enabled", "is_default", "fallback"]}),
        ("状况", {"fields": ["disabled_reason", "last_sent_at", "last_error"]}),
    ]
    actions = ["reenable"]

    class Media:
        css = {"all": ["monitoring/alerts.css"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> list[str]:
        """Status fields and the hints for each kind."""
        return ["hints", "disabled_reason", "last_sent_at", "last_error"]

    @admin.display(description="各类型怎么填")
    def hints(self, channel: Channel) -> SafeString:
        """Return one line per field of each kind; the script shows those of the selected kind."""
        lines = [
            f'<li data-kind="{kind}">{Channel.Kind(kind).label}，{CHANNEL_FIELD_LABELS[name]}：{hint}</li>'
            for kind, transport in TRANSPORTS.items()
            for name, hint in transport.hints.items()
        ]
        takes = {str(kind): sorted(transport.accepted_fields) for kind, transport in TRANSPORTS.items()}
        fields = "".join(f'<i hidden data-takes="{kind}">{" ".join(names)}</i>' for kind, names in takes.items())
        return mark_safe(f'<ul class="hints">{"".join(lines)}</ul>{fields}')

    @admin.display(description="问题")
    def problem(self, channel: Channel) -> str:
        """Return why the channel is disabled, or its last error."""
        return Truncator(channel.disabled_reason or channel.last_error).chars(60) or "—"

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        """Clear the reason for disabling when an operator enables the channel."""
        if obj.is_enabled:
            obj.disabled_reason, obj.rejecting_since, obj.rejections = "", None, 0
        super().save_model(request, obj, form, change)

    @admin.action(description="重新启用所选渠道", permissions=["change"])
    def reenable(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        """Enable channels after their problem was fixed."""
        cleared: dict[str, Any] = {"disabled_reason": "", "last_error": "", "rejecting_since": None, "rejections": 0}
        count = queryset.update(is_enabled=True, free_at=timezone.now(), **cleared)
        self.message_user(request, f"已重新启用 {count} 个渠道，建议各发一条测试消息。", messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        """Add the test message."""
        view = self.admin_site.admin_view(require_POST(self.test_view))
        return [path("<int:channel_id>/test/", view, name="monitoring_channel_test"), *super().get_urls()]

    def test_view(self, request: HttpRequest, channel_id: int) -> HttpResponse:
        """Send a test message now and show the provider's response."""
        channel = get_object_or_404(Channel, pk=channel_id)
        if not self.has_change_permission(request, channel):
            raise PermissionDenied
        log_action(self, request, channel, "发送测试消息")
        try:
            code = send_test_message(channel, request.user.get_username())
            self.message_user(request, f"测试消息已送达“{channel}”（对方代码 {code}）。", messages.SUCCESS)
        except DeliveryFailed as failure:
            self.message_user(request, f"测试消息未送达“{channel}”：{failure}", messages.ERROR)
        return redirect(reverse("admin:monitoring_channel_change", args=[channel_id]))
