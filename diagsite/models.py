"""Users and their sign-ins."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """An account: of a mini-program user (by openid), of a development device, or made by an administrator."""

    wechat_openid = models.CharField("微信 openid", max_length=64, unique=True, null=True, blank=True, editable=False)
    device_id = models.CharField("设备编号", max_length=64, unique=True, null=True, blank=True, editable=False)

    class Meta(AbstractUser.Meta):
        verbose_name = verbose_name_plural = "用户"


class Notice(models.Model):
    """The message to the owner of a diagnosis that has ended: one row, so one message. See diagsite/notices.py."""

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting", "待发送"
        SENT = "sent", "已发送"
        SEEN = "seen", "本人已看到"
        GIVEN_UP = "given_up", "已放弃"

    diagnosis = models.OneToOneField("diagnosis.Diagnosis", models.CASCADE, related_name="+", verbose_name="诊断")
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField("不早于")
    attempts = models.PositiveSmallIntegerField("尝试次数", default=0)
    reason = models.CharField("原因", max_length=64, blank=True)
    sent_at = models.DateTimeField("发送时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "结束通知"
        indexes = [
            # what is due
            models.Index(fields=["due_at"], name="diagsite_notice_due", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.diagnosis_id} {self.state}"


class RevokedToken(models.Model):
    """A token that was signed out before it expired; kept until it would have expired anyway."""

    token_id = models.UUIDField("令牌编号", primary_key=True, default=uuid.uuid4)
    expires_at = models.DateTimeField("到期时间", db_index=True)

    class Meta:
        verbose_name = verbose_name_plural = "已注销的登录"

    def __str__(self) -> str:
        return str(self.token_id)
