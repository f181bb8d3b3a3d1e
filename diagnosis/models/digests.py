"""Digests: what a member gets about a workspace after each week or month."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from diagnosis.models.workspaces import Member


class Digest(models.Model):
    """A member's subscription to one digest a window."""

    class Every(models.TextChoices):
        """The length of the window."""

        WEEKLY = "weekly", "每周"
        MONTHLY = "monthly", "每月"

    class Channel(models.TextChoices):
        """Where it is shown."""

        PAGE = "page", "网页"
        EMAIL = "email", "邮件和网页"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    member = models.OneToOneField(Member, models.CASCADE, related_name="digest", verbose_name="成员")
    every = models.CharField("周期", max_length=8, choices=Every.choices)
    channel = models.CharField("渠道", max_length=8, choices=Channel.choices)
    locale = models.CharField("语言", max_length=16, default="zh-hans")
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "摘要订阅"

    def __str__(self) -> str:
        return f"{self.member_id} {self.every}"


class DigestIssue(models.Model):
    """The digest of one window. content: as the page shows it; null if nothing ran and nothing was skipped.

    state: an e-mail is `sending` while it is handed over; one whose sender died is not sent again.
    """

    class State(models.TextChoices):
        """The state of delivery."""

        WAITING = "waiting", "待发送"
        SENDING = "sending", "发送中"
        SENT = "sent", "已发送"
        GIVEN_UP = "given_up", "已放弃"
        ON_PAGE = "on_page", "在网页上"
        EMPTY = "empty", "没有内容"

    digest = models.ForeignKey(Digest, models.CASCADE, related_name="issues", verbose_name="摘要订阅")
    window_start = models.DateTimeField("自")
    window_end = models.DateTimeField("至")
    content = models.JSONField("内容", null=True, blank=True)
    state = models.CharField("状态", max_length=8, choices=State.choices)
    due_at = models.DateTimeField("不早于", default=timezone.now)
    attempts = models.PositiveSmallIntegerField("尝试次数", default=0)
    reason = models.CharField("原因", max_length=64, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "摘要"
        ordering = ["-window_end"]
        constraints = [
            models.UniqueConstraint(fields=["digest", "window_end"], name="diagnosis_digestissue_once"),
        ]
        indexes = [
            # send_due_digests
            models.Index(fields=["due_at"], name="diagnosis_digestissue_due", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.digest_id} {self.window_end:%Y-%m-%d}"
