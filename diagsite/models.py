"""Accounts, roles, revoked tokens, and notifications to users."""

import uuid

from django.contrib.auth.models import AbstractUser, Group
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """An account of a mini-program user (openid), of a device of a demo site, or made by an administrator.

    public_id: the id in the API, because the primary key would tell how many accounts the site has.
    """

    public_id = models.UUIDField("公开编号", db_default=RandomUUID(), unique=True, editable=False)
    wechat_openid = models.CharField("微信 openid", max_length=64, unique=True, null=True, blank=True, editable=False)
    device_id = models.CharField("设备编号", max_length=64, unique=True, null=True, blank=True, editable=False)

    class Meta(AbstractUser.Meta):
        verbose_name = verbose_name_plural = "用户"


class Role(models.Model):
    """A group that `manage.py seed` added, with the permissions it assigned, to detect changes by operators."""

    name = models.SlugField("角色", max_length=32, primary_key=True)
    group = models.OneToOneField(Group, models.SET_NULL, null=True, related_name="+", verbose_name="组")
    permissions = models.JSONField("随版本提供的权限", default=list)

    class Meta:
        verbose_name = verbose_name_plural = "随版本提供的角色"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Notification(models.Model):
    """A message to a user: a diagnosis ended, a rate changed, or a scheduled run was skipped.

    It is sent at most once; see diagsite/notifications/outbox.py. public_id: the id in the API.
    """

    class Kind(models.TextChoices):
        ENDED = "ended", "诊断结束"
        MOVED = "moved", "提及率变化"
        SKIPPED = "skipped", "定期诊断跳过"

    class State(models.TextChoices):
        """The state of delivery. A notification on the page is shown there until it is read."""

        WAITING = "waiting", "待发送"
        SENT = "sent", "已发送"
        SEEN = "seen", "本人已看到"
        GIVEN_UP = "given_up", "已放弃"
        ON_PAGE = "on_page", "在网页上提示"

    public_id = models.UUIDField("公开编号", db_default=RandomUUID(), unique=True, editable=False)
    kind = models.CharField("类型", max_length=8, choices=Kind.choices, default=Kind.ENDED, db_default=Kind.ENDED)
    owner = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="+", verbose_name="收件人", help_text="结束通知为空"
    )
    diagnosis = models.OneToOneField(
        "diagnosis.Diagnosis", models.CASCADE, null=True, blank=True, related_name="+", verbose_name="诊断"
    )
    schedule = models.ForeignKey(
        "diagnosis.Schedule", models.CASCADE, null=True, blank=True, related_name="+", verbose_name="定期诊断"
    )
    slot_at = models.DateTimeField("跳过的时间", null=True, blank=True)
    data = models.JSONField("内容", default=dict, db_default={}, blank=True)
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField("不早于")
    attempts = models.PositiveSmallIntegerField("尝试次数", default=0)
    reason = models.CharField("原因", max_length=64, blank=True)
    sent_at = models.DateTimeField("发送时间", null=True, blank=True)
    read_at = models.DateTimeField("已读时间", null=True, blank=True)

    class Meta:
        db_table = "diagsite_notice"
        verbose_name = verbose_name_plural = "通知"
        constraints = [
            # one notification for each skipped slot
            models.UniqueConstraint(fields=["schedule", "slot_at"], name="diagsite_notice_slot"),
            models.CheckConstraint(
                condition=models.Q(kind="ended", diagnosis__isnull=False)
                | models.Q(kind="moved", diagnosis__isnull=False, owner__isnull=False)
                | models.Q(kind="skipped", schedule__isnull=False, slot_at__isnull=False, owner__isnull=False),
                name="diagsite_notice_whole",
            ),
        ]
        indexes = [
            # the sender reads the due notifications
            models.Index(fields=["due_at"], name="diagsite_notice_due", condition=models.Q(state="waiting")),
            # the page reads the unread notifications of an owner
            models.Index(fields=["owner"], name="diagsite_notice_unread", condition=models.Q(read_at=None)),
            # the gauge of rejected messages
            models.Index(fields=["due_at"], name="diagsite_notice_rejected", condition=models.Q(state="given_up")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.diagnosis_id or self.schedule_id} {self.state}"


class Consent(models.Model):
    """The consent of an account to a version of the user agreement and the privacy policy."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name="账号")
    version = models.CharField("协议版本", max_length=32)
    client = models.CharField("在哪里同意", max_length=16)
    accepted_at = models.DateTimeField("同意时间", auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = "协议同意记录"
        constraints = [models.UniqueConstraint(fields=["owner", "version"], name="diagsite_consent_once")]

    def __str__(self) -> str:
        return f"{self.owner_id} {self.version}"


class Feedback(models.Model):
    """Feedback, a complaint or appeal, or a report of an answer. public_id: the id in the API."""

    class Kind(models.TextChoices):
        FEEDBACK = "feedback", _("意见与问题")
        COMPLAINT = "complaint", _("投诉与申诉")
        ANSWER = "answer", _("举报回答")

    class Reason(models.TextChoices):
        """Why an answer is reported."""

        ILLEGAL = "illegal", _("违法违规")
        FALSE = "false", _("不实信息")
        RIGHTS = "rights", _("侵犯权益")
        OTHER = "other", _("其他")

    public_id = models.UUIDField("公开编号", db_default=RandomUUID(), unique=True, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name="提交人")
    kind = models.CharField("类型", max_length=16, choices=Kind.choices)
    reason = models.CharField("举报理由", max_length=16, choices=Reason.choices, blank=True)
    text = models.TextField("内容", max_length=2000)
    contact = models.CharField("联系方式", max_length=100, blank=True)
    answer = models.ForeignKey(
        "diagnosis.Answer", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="被举报的回答"
    )
    created_at = models.DateTimeField("提交时间", auto_now_add=True)
    reply = models.TextField(
        "处理结果", max_length=2000, blank=True, help_text="提交人会在“反馈与投诉”页看到；保存后这一条记为已处理"
    )
    handled_at = models.DateTimeField("处理时间", null=True, blank=True, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "反馈与投诉"
        ordering = ["-created_at"]
        indexes = [
            # the list of an owner, and the entries that they are waiting for
            models.Index(fields=["owner", "handled_at"], name="diagsite_feedback_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.created_at:%Y-%m-%d}"


class RevokedToken(models.Model):
    """A token that was signed out before it expired; kept until that time."""

    token_id = models.UUIDField("令牌编号", primary_key=True, default=uuid.uuid4)
    expires_at = models.DateTimeField("到期时间", db_index=True)

    class Meta:
        verbose_name = verbose_name_plural = "已注销的登录"

    def __str__(self) -> str:
        return str(self.token_id)
