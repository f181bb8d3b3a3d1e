"""Streams and their event log. The log is authoritative; notifications only cause it to be read."""

import secrets
import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser


def new_epoch() -> str:
    """Return the name of a new epoch of a log: sequence numbers of different epochs are not comparable."""
    return secrets.token_hex(4)


class StreamQuerySet(models.QuerySet["Stream"]):
    """Permissions, in one place for HTTP, socket and admin."""

    def visible_to(self, user: "AbstractBaseUser | AnonymousUser") -> "StreamQuerySet":
        """Streams by settings.PROGRESS_VISIBLE; for staff also those without owner, or all with their permission."""
        if not user.is_authenticated:
            return self.none()
        own = self.filter(import_string(settings.PROGRESS_VISIBLE)(user.pk))
        if not getattr(user, "is_staff", False):
            return own
        return self if user.has_perm("progress.view_stream") else own | self.filter(owner=None)  # type: ignore[attr-defined]


class Stream(models.Model):
    """An ordered log of events about one subject, for its owner."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="streams",
        verbose_name="所有者",
        help_text="没有所有者的进度流只有后台人员能看",
    )
    epoch = models.CharField("纪元", max_length=16, default=new_epoch)
    last_seq = models.PositiveIntegerField("最后序号", default=0)
    is_closed = models.BooleanField("已结束", default=False)
    request_id = models.CharField("请求编号", max_length=64, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)
    closed_at = models.DateTimeField("结束时间", null=True, blank=True)

    objects = StreamQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "进度流"
        indexes = [
            # prune_streams: the oldest closed streams first
            models.Index(fields=["closed_at"], name="progress_stream_prune", condition=models.Q(is_closed=True)),
        ]

    def __str__(self) -> str:
        return f"{self.id} #{self.last_seq}"


class Event(models.Model):
    """One entry of a stream's log; `seq` counts from 1 without gaps."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="events", verbose_name="进度流")
    seq = models.PositiveIntegerField("序号")
    kind = models.CharField("类型", max_length=32)
    data = models.JSONField("内容")
    created_at = models.DateTimeField("时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "进度事件"
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="progress_event_stream_seq")]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class PushProcess(models.Model):
    """The connections of one server process, updated every few seconds; outdated when the process has ended."""

    name = models.CharField("进程", max_length=128, primary_key=True)
    sockets_open = models.PositiveIntegerField("当前连接", default=0)
    sockets_total = models.PositiveBigIntegerField("累计连接", default=0)
    polls_open = models.PositiveIntegerField("当前轮询", default=0)
    frames_sent = models.PositiveBigIntegerField("发出帧数", default=0)
    bytes_sent = models.PositiveBigIntegerField("发出字节", default=0)
    bytes_received = models.PositiveBigIntegerField("收到字节", default=0)
    started_at = models.DateTimeField("启动时间")
    seen_at = models.DateTimeField("最近上报")

    class Meta:
        verbose_name = verbose_name_plural = "推送进程"

    def __str__(self) -> str:
        return self.name
