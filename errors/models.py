"""Error messages edited by operators, their revisions and overrides, and the record of errors."""

from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from errors.codes import ERROR_SPECS, ActionKind, Display, ErrorCode
from errors.messages.default_texts import DEFAULT_TEXTS
from errors.messages.message import (
    CONTENT_FIELDS,
    ICONS,
    ErrorMessage,
    build_default_message,
    build_message,
    build_message_or_fallback,
    validate_message,
)
from errors.placeholders import PLATFORM_PLACEHOLDER

CODE_CHOICES = [(code.value, code.value) for code in ErrorCode]
LOCALE_CHOICES = [(locale, {"zh-hans": "简体中文", "en": "English"}.get(locale, locale)) for locale in DEFAULT_TEXTS]
ACTION_CHOICES = [
    (ActionKind.RETRY.value, "重试"),
    (ActionKind.SWITCH_PLATFORM.value, "切换平台"),
    (ActionKind.OPEN_HISTORY.value, "查看历史记录"),
    (ActionKind.OPEN_REPORT.value, "查看报告"),
    (ActionKind.SIGN_IN.value, "重新登录"),
    (ActionKind.GO_HOME.value, "返回首页"),
    (ActionKind.DISMISS.value, "知道了"),
]
DISPLAY_CHOICES = [
    (Display.TOAST.value, "轻提示"),
    (Display.MODAL.value, "对话框"),
    (Display.PAGE.value, "整页"),
    (Display.INLINE.value, "页内"),
]
ICON_LABELS = {"info": "i 提示", "warning": "! 警告", "error": "✕ 错误", "success": "✓ 成功", "none": "不显示"}
ICON_CHOICES = [(icon, ICON_LABELS[icon]) for icon in ICONS]
OUTCOME_CHOICES = [("shown", "已告知用户"), ("retried", "已自动重试"), ("recovered", "重试后恢复")]


class ErrorCopy(models.Model):
    """The message of a code in a locale: the columns are the draft, `published` is what users see."""

    code = models.CharField("错误代码", max_length=40, choices=CODE_CHOICES)
    locale = models.CharField("语言", max_length=16, choices=LOCALE_CHOICES)
    title = models.CharField("标题", max_length=80, help_text="一行话说清发生了什么")
    message = models.CharField("说明", max_length=300, help_text="发生了什么，哪些内容保住了")
    suggestion = models.CharField("建议", max_length=300, help_text="下一步怎么做")
    action = models.CharField("按钮动作", max_length=20, choices=ACTION_CHOICES)
    action_label = models.CharField("按钮文字", max_length=40, blank=True, help_text="留空则用动作的默认文字")
    action_params = models.JSONField("动作参数", default=dict, blank=True)
    display = models.CharField("展示方式", max_length=10, choices=DISPLAY_CHOICES)
    icon = models.CharField("图标", max_length=10, choices=ICON_CHOICES)
    duration_ms = models.PositiveIntegerField("停留毫秒", default=0, help_text="只用于轻提示")
    published = models.ForeignKey(
        "CopyRevision", models.PROTECT, null=True, blank=True, related_name="+", verbose_name="已发布", editable=False
    )
    has_draft = models.BooleanField("有未发布的修改", default=False, editable=False)
    upstream = models.JSONField("随版本提供的文案", default=dict, editable=False)
    has_upstream_changes = models.BooleanField("随版本的文案有更新", default=False, editable=False)
    updated_at = models.DateTimeField("更新时间", auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "错误文案"
        ordering = ["code", "-locale"]
        constraints = [models.UniqueConstraint(fields=["code", "locale"], name="errors_copy_code_locale")]
        permissions = [("publish_errorcopy", "可以发布错误文案")]

    def __str__(self) -> str:
        return f"{self.code} · {self.get_locale_display()}"

    @property
    def draft(self) -> ErrorMessage:
        return build_message({name: getattr(self, name) for name in CONTENT_FIELDS})

    @draft.setter
    def draft(self, message: ErrorMessage) -> None:
        for name, value in message.content().items():
            setattr(self, name, value)

    def clean(self) -> None:
        """Validate the draft, with the same rules as publishing and import."""
        errors = validate_message(ErrorCode(self.code), self.locale, self.draft) if self.code else {}
        if errors:
            raise ValidationError({name: [error] for name, error in errors.items()})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Update `has_draft`, whether the draft differs from the published message."""
        published_content = self.published.content if self.published else None
        self.has_draft = self.draft.content() != published_content
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "has_draft", "updated_at"}
        super().save(*args, **kwargs)


class ImmutableError(TypeError):
    """A revision was about to be changed or deleted."""


class RevisionQuerySet(models.QuerySet["CopyRevision"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise ImmutableError("revisions cannot be changed: publish a new one")

    def delete(self) -> NoReturn:
        raise ImmutableError("revisions cannot be deleted")


class CopyRevision(models.Model):
    """A message as it was published. Immutable; a rollback publishes it again as a new revision."""

    copy = models.ForeignKey(ErrorCopy, models.PROTECT, related_name="revisions", verbose_name="错误文案")
    number = models.PositiveIntegerField("版本")
    content = models.JSONField("内容")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="发布人"
    )
    author_name = models.CharField("发布人姓名", max_length=150, blank=True)
    reason = models.CharField("原因", max_length=200)
    created_at = models.DateTimeField("时间", auto_now_add=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "文案版本"
        ordering = ["-number"]
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["copy", "number"], name="errors_revision_number")]

    def __str__(self) -> str:
        return f"#{self.number}"

    @property
    def message(self) -> ErrorMessage:
        return build_message(self.content, self.number)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ImmutableError("revisions cannot be changed: publish a new one")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImmutableError("revisions cannot be deleted")


def load_platform_names() -> dict[str, str]:
    """Return {id: name} of the AI platforms, from the higher layer that settings.ERRORS_PLATFORMS names."""
    names: dict[str, str] = import_string(settings.ERRORS_PLATFORMS)()
    return names


class OverrideQuerySet(models.QuerySet["CopyOverride"]):
    def current(self) -> "OverrideQuerySet":
        """Overrides that apply now."""
        return self.unexpired().filter(starts_at__lte=timezone.now())

    def unexpired(self) -> "OverrideQuerySet":
        """Overrides that are active now or later."""
        return self.filter(ends_at__gt=timezone.now())


class CopyOverride(models.Model):
    """A temporary message for an incident. Empty fields keep the published text."""

    code = models.CharField("错误代码", max_length=40, choices=CODE_CHOICES)
    locale = models.CharField("语言", max_length=16, choices=LOCALE_CHOICES, default="zh-hans")
    platform = models.CharField("平台标识", max_length=32, blank=True, help_text="留空则对所有平台生效")
    title = models.CharField("标题", max_length=80, blank=True)
    message = models.CharField("说明", max_length=300, blank=True)
    suggestion = models.CharField("建议", max_length=300, blank=True)
    starts_at = models.DateTimeField("开始", default=timezone.now)
    ends_at = models.DateTimeField("结束")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name="操作人",
    )
    reason = models.CharField("原因", max_length=200)
    created_at = models.DateTimeField("创建时间", auto_now_add=True)

    objects = OverrideQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "临时文案"
        ordering = ["-starts_at"]
        constraints = [models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="errors_override_time")]

    def __str__(self) -> str:
        return f"{self.code} {self.locale} {self.platform}".strip()

    def clean(self) -> None:
        """Validate the period, and the published message with the texts of this override."""
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": "结束时间要晚于开始时间。"})
        if not (self.title or self.message or self.suggestion):
            raise ValidationError({"title": "请至少填写标题、说明、建议中的一项。"})
        self._validate_platform()
        if self.code and self.locale:
            code = ErrorCode(self.code)
            published = build_default_message(code, self.locale)
            copy = ErrorCopy.objects.select_related("published").filter(code=code, locale=self.locale).first()
            if copy and copy.published:
                published = build_message_or_fallback(copy.published.content, published)
            errors = validate_message(code, self.locale, self.apply_to(published))
            own_errors = {name: [error] for name, error in errors.items() if name in ("title", "message", "suggestion")}
            if own_errors:
                raise ValidationError(own_errors)

    def _validate_platform(self) -> None:
        if not self.platform:
            return
        if self.code and PLATFORM_PLACEHOLDER not in ERROR_SPECS[ErrorCode(self.code)].placeholders:
            raise ValidationError({"platform": f"{self.code} 不区分平台，请留空，否则永远不会显示。"})
        names = load_platform_names()
        if self.platform not in names:
            known = "、".join(f"{key}（{name}）" for key, name in names.items()) or "还没有平台"
            raise ValidationError({"platform": f"没有标识为“{self.platform}”的平台；现有：{known}。"})

    def apply_to(self, message: ErrorMessage) -> ErrorMessage:
        """Return the message with its texts replaced by those of this override."""
        overridden = {name: getattr(self, name) for name in ("title", "message", "suggestion") if getattr(self, name)}
        return build_message(message.content() | overridden, message.revision)


class CatalogueVersion(models.Model):
    """One row; triggers increment it in the transaction of every change to the messages that users see."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField("版本", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "文案目录版本"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.number)


class ErrorEvent(models.Model):
    """One error that occurred; frequent errors are sampled. Contains no key, token, openid or answer text."""

    code = models.CharField("错误代码", max_length=40, choices=CODE_CHOICES)
    fingerprint = models.CharField("指纹", max_length=16)
    outcome = models.CharField("结果", max_length=10, choices=OUTCOME_CHOICES)
    request_id = models.CharField("请求编号", max_length=64, blank=True)
    diagnosis_id = models.UUIDField("诊断", null=True, blank=True)
    platform = models.CharField("平台", max_length=32, blank=True)
    exception = models.CharField("异常类型", max_length=120, blank=True)
    place = models.CharField("位置", max_length=200, blank=True)
    context = models.JSONField("上下文", default=dict, blank=True)
    locale = models.CharField("语言", max_length=16, blank=True)
    revision = models.PositiveIntegerField("文案版本", default=0)
    created_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "错误记录"
        ordering = ["-created_at", "-id"]
        default_permissions = ("view",)
        indexes = [
            # support searches by the first characters of a reference
            models.Index(fields=["request_id"], name="errors_event_request", opclasses=["varchar_pattern_ops"]),
            # the newest event of a group
            models.Index(fields=["fingerprint", "-created_at"], name="errors_event_group"),
            models.Index(fields=["created_at"], name="errors_event_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.request_id[:8]}"


class ErrorCount(models.Model):
    """The exact number of errors of a fingerprint in an hour."""

    code = models.CharField("错误代码", max_length=40, choices=CODE_CHOICES)
    fingerprint = models.CharField("指纹", max_length=16)
    outcome = models.CharField("结果", max_length=10, choices=OUTCOME_CHOICES)
    hour = models.DateTimeField("小时")
    count = models.PositiveBigIntegerField("次数", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "错误计数"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["hour", "code", "fingerprint", "outcome"], name="errors_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.code} {timezone.localtime(self.hour):%m-%d %H}h {self.count}"
