"""Schedules: diagnoses that are repeated, with their recurrence and budget."""

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from diagnosis.choices import WorkspaceRole
from diagnosis.models.access import build_access_filter

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser


class Frequency(models.TextChoices):
    """Frequency of a schedule."""

    DAILY = "daily", "每天"
    WEEKLY = "weekly", "每周"
    MONTHLY = "monthly", "每月"


class SkipReason(models.TextChoices):
    """Reason why a run was skipped."""

    BUDGET_CALLS = "budget_calls", _("本月的调用次数预算不足")
    BUDGET_MONEY = "budget_money", _("本月的费用预算不足")
    BUDGET = "budget", _("账号或平台本月的预算不足")
    PLATFORMS = "platforms", _("有平台已停用")
    REFUSED = "refused", _("未能发起")
    QUEUE_FULL = "queue_full", _("进行中的诊断太多")
    UNAVAILABLE = "unavailable", _("平台都已暂停或没有密钥")


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Selections of schedules."""

    def visible_to(
        self, user: "AbstractBaseUser | AnonymousUser", role: WorkspaceRole = WorkspaceRole.VIEWER
    ) -> "ScheduleQuerySet":
        """Those of the user's workspaces. Not even staff may spend a user's budget through the API."""
        return self.filter(build_access_filter(user.pk, role)) if user.is_authenticated else self.none()

    def due(self) -> "ScheduleQuerySet":
        """Active schedules whose next time has passed, whose owner is active and whose workspace is not deleted."""
        due = self.filter(is_paused=False, next_at__lte=timezone.now(), owner__is_active=True)
        return due.filter(workspace__deleted_at=None)


class Schedule(models.Model):
    """A repeated diagnosis. Times are in the site's TIME_ZONE; a budget covers a calendar month of it.

    While a due time waits because it could not be started, next_at is the next attempt and slot_at that due time.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="schedules", verbose_name="所有者")
    workspace = models.ForeignKey(
        "diagnosis.Workspace", models.CASCADE, null=True, blank=True, related_name="schedules", verbose_name="工作区"
    )
    panel = models.ForeignKey(
        "diagnosis.Panel",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="schedules",
        verbose_name="问题集",
        help_text="有问题集时，问题、平台和名称跟随它和工作区",
    )
    brand = models.CharField("品牌", max_length=100)
    aliases = ArrayField(models.CharField(max_length=100), verbose_name="别名", default=list, blank=True)
    sites = ArrayField(models.CharField(max_length=255), verbose_name="网站", default=list, db_default=[], blank=True)
    competitors = models.JSONField("竞品", default=list, blank=True, help_text="[{name, aliases, sites}]")
    questions = ArrayField(models.CharField(max_length=500), verbose_name="问题")
    questions_about_brand = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name="问品牌的问题",
        default=list,
        db_default=[],
        blank=True,
        help_text="用户说明是在问品牌的问题的序号，从 0 起",
    )
    platforms = ArrayField(models.CharField(max_length=32), verbose_name="平台")
    repeats = models.PositiveSmallIntegerField("重复次数", default=1)
    is_demo = models.BooleanField("演示", default=False)
    locale = models.CharField("语言", max_length=16, default="zh-hans")
    every = models.CharField("周期", max_length=8, choices=Frequency.choices)
    weekday = models.PositiveSmallIntegerField(
        "星期", null=True, blank=True, validators=[MaxValueValidator(6)], help_text="0 为周一；每周时填写"
    )
    day = models.PositiveSmallIntegerField(
        "日",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="1–31，短的月份取最后一天；每月时填写",
    )
    time = models.TimeField("时间")
    next_at = models.DateTimeField("下次运行")
    slot_at = models.DateTimeField("等待运行的时间", null=True, blank=True, help_text="暂时不能发起、正在重试时填写")
    retry_until = models.DateTimeField("重试至", null=True, blank=True)
    wait_reason = models.CharField("等待原因", max_length=16, choices=SkipReason.choices, blank=True)
    is_paused = models.BooleanField("已暂停", default=False)
    budget_calls = models.PositiveIntegerField("每月调用次数预算")
    budget_money = models.DecimalField("每月费用预算（元）", max_digits=10, decimal_places=2)
    last_diagnosis = models.ForeignKey(
        "diagnosis.Diagnosis", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="最近一次诊断"
    )
    skipped_at = models.DateTimeField("最近跳过", null=True, blank=True, help_text="之后成功运行过则为空")
    skip_reason = models.CharField("跳过原因", max_length=16, choices=SkipReason.choices, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "定期诊断"
        ordering = ["created_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(every=Frequency.WEEKLY, weekday__range=(0, 6), day=None)
                | Q(every=Frequency.MONTHLY, day__range=(1, 31), weekday=None)
                | Q(every=Frequency.DAILY, day=None, weekday=None),
                name="diagnosis_schedule_day",
            ),
        ]
        indexes = [
            # start_due_schedules
            models.Index(fields=["next_at"], name="diagnosis_schedule_due", condition=Q(is_paused=False)),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.get_every_display()}"
