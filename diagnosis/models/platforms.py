"""The AI platforms that questions are sent to."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from diagnosis.choices import ClientKind, FailureReason, PlatformSurface, Thinking, WireProtocol
from performance.cache import invalidate_tags

OFFERED_FIELDS = {
    ClientKind.WEB: "is_offered_on_web",
    ClientKind.MINIPROGRAM: "is_offered_in_miniprogram",
}
PLATFORMS_CACHE_TAG = "platforms"  # of every cached value that contains platforms
MAX_TIMEOUT_SECONDS = 600
LONG_TIMEOUT_SECONDS = 240  # of a call that searches or thinks
_NOT_NEGATIVE = [MinValueValidator(0)]


class PlatformQuerySet(models.QuerySet["Platform"]):
    """Platforms. Updates invalidate cached values in every process."""

    def enabled(self) -> "PlatformQuerySet":
        """Platforms that can be selected."""
        return self.filter(is_enabled=True)

    def offered_to(self, client: ClientKind) -> "PlatformQuerySet":
        """Enabled platforms that accounts of this client can select."""
        return self.enabled().filter(**{OFFERED_FIELDS[client]: True})

    def paused(self) -> "PlatformQuerySet":
        """Enabled platforms that are paused now."""
        return self.enabled().filter(paused_until__gt=timezone.now())

    def update(self, **columns: Any) -> int:
        """Update, and invalidate cached platforms after the commit."""
        invalidate_tags(PLATFORMS_CACHE_TAG)
        return super().update(**columns)

    def pause(self, until: datetime, reason: FailureReason) -> int:
        """Pause until then, except the platforms that are paused for longer: a pause is never shortened."""
        earlier = self.filter(Q(paused_until=None) | Q(paused_until__lt=until))
        return earlier.update(paused_until=until, pause_reason=reason)


class Platform(models.Model):
    """One way to ask an AI platform: protocol, model, and whether it searches. A row, because model ids change often.

    The same vendor has a row for each surface, because their figures are different measurements.
    """

    id = models.SlugField("标识", primary_key=True, max_length=32)
    name = models.CharField("名称", max_length=64)
    base_url = models.CharField("接口地址", max_length=255, blank=True, help_text="演示平台留空：由本站自己提供")
    model = models.CharField("模型", max_length=128)
    key_variable = models.CharField("密钥的环境变量", max_length=64, blank=True, help_text="密钥只放在环境变量里")
    protocol = models.CharField(
        "协议",
        max_length=24,
        choices=WireProtocol.choices,
        default=WireProtocol.CHAT,
        db_default=WireProtocol.CHAT,
        help_text="必须与接口地址一致；只有各家自己的协议能联网搜索并返回来源",
    )
    surface = models.CharField(
        "测量方式",
        max_length=8,
        choices=PlatformSurface.choices,
        default=PlatformSurface.MEMORY,
        db_default=PlatformSurface.MEMORY,
        help_text="不联网、联网搜索、应用内搜索是三种不同的测量，结果从不合并；要比较请各建一行",
    )
    search_options = models.JSONField(
        "搜索选项",
        default=dict,
        db_default={},
        blank=True,
        help_text="JSON 对象，留 {} 用默认值；可填的名称见保存时的提示和运维手册",
    )
    thinking = models.CharField(
        "思考",
        max_length=8,
        choices=Thinking.choices,
        default=Thinking.DEFAULT,
        db_default="",
        blank=True,
        help_text="思考过程从不计入结果；开启后更慢也更贵，请同时调大超时",
    )
    country = models.CharField(
        "国家", max_length=2, default="", db_default="", blank=True, help_text="两位大写代码，例如 CN；留空不指定地点"
    )
    timeout_seconds = models.PositiveSmallIntegerField(
        "超时（秒）",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_TIMEOUT_SECONDS)],
        help_text="一次请求最多等多久；留空：联网或思考时 240 秒，否则用 CALL_TIMEOUT_SECONDS",
    )
    max_answer_tokens = models.PositiveIntegerField(
        "回答最多词元",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="随请求发送；留空用平台默认。太小会截断回答，被截断的回答单独标出",
    )
    extra_body = models.JSONField(
        "附加请求体",
        default=dict,
        db_default={},
        blank=True,
        help_text='JSON 对象，原样加入请求，例如 {"temperature": 0}；不能覆盖协议自己填写的内容',
    )
    is_enabled = models.BooleanField("启用", default=True)
    is_offered_on_web = models.BooleanField(
        "在网页提供", default=True, db_default=True, help_text="取消后，网页用户看不到它，也不能用它诊断"
    )
    is_offered_in_miniprogram = models.BooleanField(
        "在小程序提供",
        default=True,
        db_default=True,
        help_text="微信用户只能选择勾选的平台。境外模型没有备案，请不要勾选；境内模型请先填写备案号",
    )
    filing_number = models.CharField(
        "备案号",
        max_length=64,
        default="",
        db_default="",
        blank=True,
        help_text="模型的生成式人工智能服务备案号或上线编号，在选择平台处公示；上线前请到网信办的公告中核对",
    )
    is_demo = models.BooleanField("演示", default=False, editable=False)
    concurrency = models.PositiveSmallIntegerField("同时请求数", default=5)
    requests_per_minute = models.PositiveIntegerField("每分钟请求数", default=60)
    price_per_call = models.DecimalField(
        "每次价格（元）",
        max_digits=8,
        decimal_places=4,
        default=0,
        validators=_NOT_NEGATIVE,
        help_text="每次调用都收，无论是否答复；按量计费的平台填 0",
    )
    price_per_million_input_tokens = models.DecimalField(
        "每百万输入词元价格（元）", max_digits=10, decimal_places=4, default=0, db_default=0, validators=_NOT_NEGATIVE
    )
    price_per_million_output_tokens = models.DecimalField(
        "每百万输出词元价格（元）",
        max_digits=10,
        decimal_places=4,
        default=0,
        db_default=0,
        validators=_NOT_NEGATIVE,
        help_text="推理词元按输出计费",
    )
    price_per_search = models.DecimalField(
        "每次搜索价格（元）", max_digits=8, decimal_places=4, default=0, db_default=0, validators=_NOT_NEGATIVE
    )
    max_input_tokens = models.PositiveIntegerField(
        "每次最多输入词元",
        null=True,
        blank=True,
        help_text="调用前按此预留费用；联网搜索的结果也算输入。留空则按问题长度估算",
    )
    max_output_tokens = models.PositiveIntegerField(
        "每次最多输出词元", default=8192, db_default=8192, help_text="调用前按此预留费用，含推理词元"
    )
    max_searches = models.PositiveSmallIntegerField(
        "每次最多搜索次数", default=5, db_default=5, help_text="调用前按此预留费用；没有搜索价格时不计"
    )
    monthly_budget = models.DecimalField(
        "每月预算（元）",
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=_NOT_NEGATIVE,
        help_text="留空不限；0 表示不允许付费调用。用完后本月不再调用",
    )
    typical_seconds = models.FloatField("通常耗时（秒）", default=10)
    paused_until = models.DateTimeField("暂停至", null=True, blank=True, help_text="配额用尽时自动暂停；清空即恢复")
    pause_reason = models.CharField("暂停原因", max_length=16, choices=FailureReason.choices, blank=True)
    position = models.PositiveSmallIntegerField("顺序", default=100)
    notice = models.TextField(
        "系统提示",
        default="",
        db_default="",
        blank=True,
        editable=False,
        help_text="模型下线、改名或设置被系统更新时写在这里",
    )

    objects = PlatformQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "AI 平台"
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(concurrency__gte=1), name="diagnosis_platform_concurrency"),
            models.CheckConstraint(condition=Q(requests_per_minute__gte=1), name="diagnosis_platform_rate"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, and invalidate cached platforms after the commit."""
        invalidate_tags(PLATFORMS_CACHE_TAG)
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return f"{self.name}（演示）" if self.is_demo else self.name

    def is_offered_to(self, client: ClientKind) -> bool:
        """Whether accounts of this client may select it."""
        return bool(getattr(self, OFFERED_FIELDS[client]))

    @property
    def has_search(self) -> bool:
        """Whether its answers are searched for."""
        return self.surface != PlatformSurface.MEMORY

    @property
    def call_timeout_seconds(self) -> float:
        """How long one request may take."""
        if self.timeout_seconds:
            return self.timeout_seconds
        is_slow = self.has_search or self.thinking not in (Thinking.DEFAULT, Thinking.OFF)
        return max(LONG_TIMEOUT_SECONDS, settings.CALL_TIMEOUT_SECONDS) if is_slow else settings.CALL_TIMEOUT_SECONDS

    @property
    def is_paused(self) -> bool:
        """Whether a pause is in effect."""
        return bool(self.paused_until and self.paused_until > timezone.now())

    @property
    def is_awaiting_probe(self) -> bool:
        """Whether a pause is over but no call has succeeded since. The demo platform is not probed."""
        return bool(not self.is_demo and self.pause_reason and self.paused_until and not self.is_paused)
