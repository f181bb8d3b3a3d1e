"""Notification channels and the outbox of messages. A crash repeats at most one message and loses none."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone


class Channel(models.Model):
    """A destination of messages. Its secrets (URL, key) are encrypted and never displayed."""

    class Kind(models.TextChoices):
        DINGTALK = "dingtalk", "钉钉机器人"
        WECOM = "wecom", "企业微信机器人"
        FEISHU = "feishu", "飞书机器人"
        EMAIL = "email", "邮件"
        WEBHOOK = "webhook", "Webhook"
        APPRISE = "apprise", "Apprise 地址"

    name = models.CharField("名称", max_length=60, unique=True)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    is_enabled = models.BooleanField("启用", default=True)
    is_default = models.BooleanField("默认渠道", default=True, help_text="未指定渠道的规则发到这里")
    recipients = models.CharField("收件人", max_length=500, blank=True, help_text="邮件：用逗号分隔")
    secrets = models.TextField("加密内容", blank=True, editable=False)
    fallback = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="备用渠道",
        help_text="发不出去时改发到这里",
    )
    disabled_reason = models.CharField("停用原因", max_length=200, blank=True, editable=False)
    rejecting_since = models.DateTimeField("一直拒绝，始于", null=True, blank=True, editable=False)
    rejections = models.PositiveIntegerField("连续拒绝次数", default=0, db_default=0, editable=False)
    last_sent_at = models.DateTimeField("最近送达", null=True, blank=True, editable=False)
    last_error = models.CharField("最近错误", max_length=200, blank=True, editable=False)
    # One message at a time: until then the channel is leased to a sender, or at its limit per minute.
    free_at = models.DateTimeField("何时可再发", default=timezone.now, editable=False)
    tried_at = models.JSONField("最近几次发送", default=list, editable=False, help_text="1970 年以来的秒数，从早到晚")

    class Meta:
        verbose_name = verbose_name_plural = "通知渠道"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def iter_fallbacks(self) -> Iterator["Channel"]:
        """Yield the fallback, its fallback and so on, without this channel and each only once."""
        seen = {self.pk}
        channel = self.fallback
        while channel is not None and channel.pk not in seen:
            yield channel
            seen.add(channel.pk)
            channel = channel.fallback


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def waiting(self) -> "DeliveryQuerySet":
        """Messages that are neither sent nor abandoned."""
        return self.filter(state=Delivery.State.WAITING)

    def due(self, now: datetime) -> "DeliveryQuerySet":
        """Messages to send now: the channel is free, and no earlier message of the same alert waits for it."""
        earlier = Delivery.objects.waiting().filter(
            alert=models.OuterRef("alert"), channel=models.OuterRef("channel"), number__lt=models.OuterRef("number")
        )
        due = self.waiting().filter(due_at__lte=now, channel__free_at__lte=now)
        return due.exclude(models.Exists(earlier)).order_by("due_at", "number")


class Delivery(models.Model):
    """One message to one channel. A sender leases it (`due_at`), sends it, then marks it."""

    class State(models.TextChoices):
        WAITING = "waiting", "待发送"
        SENT = "sent", "已送达"
        GIVEN_UP = "given_up", "已放弃"

    number = models.BigAutoField("消息编号", primary_key=True, help_text="写在消息里；重发的消息编号不变")
    alert = models.ForeignKey(
        "Alert", models.CASCADE, null=True, blank=True, related_name="deliveries", verbose_name="告警"
    )
    kind = models.CharField("事件", max_length=12)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries", verbose_name="渠道")
    message = models.JSONField("消息")
    # A failed message has at most one replacement, sent to the fallback channel.
    instead_of = models.OneToOneField(
        "self", models.CASCADE, null=True, blank=True, related_name="replacement", verbose_name="替代的通知"
    )
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField("不早于", default=timezone.now)
    attempts = models.PositiveSmallIntegerField("尝试次数", default=0)
    provider_code = models.CharField("对方代码", max_length=40, blank=True)
    reason = models.CharField("原因", max_length=300, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)
    sent_at = models.DateTimeField("送达时间", null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "通知"
        ordering = ["-created_at"]
        indexes = [
            # DeliveryQuerySet.due
            models.Index(fields=["due_at"], name="monitoring_delivery_due", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.get_state_display()}"

    def enqueue_replacement(self, channel: Channel, message: dict[str, Any]) -> None:
        """Write the message to another channel, unless this one already has a replacement."""
        content = {"alert_id": self.alert_id, "kind": self.kind, "channel": channel, "message": message}
        Delivery.objects.get_or_create(instead_of=self, defaults=content)

    @property
    def tried_channel_ids(self) -> set[int]:
        """The channels of this message and of those that it replaces."""
        tried = {self.channel_id}
        replaced = self.instead_of
        while replaced is not None:
            tried.add(replaced.channel_id)
            replaced = replaced.instead_of
        return tried
