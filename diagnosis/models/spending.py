"""The ledger of paid calls, its totals, and the budgets that bound it."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from diagnosis.choices import BudgetScope, CallPurpose
from diagnosis.models.diagnoses import Answer, Diagnosis
from diagnosis.models.platforms import Platform
from diagnosis.models.schedules import Schedule


class PaidCall(models.Model):
    """One attempt to call a platform, written before the request is sent.

    cost: the reserved amount until the call is settled, then what it did cost; it stays the reserved amount if the
    outcome is unknown, for example after a kill.
    """

    class State(models.TextChoices):
        RESERVED = "reserved", "进行中"
        SETTLED = "settled", "已结算"
        UNKNOWN = "unknown", "结果未知"

    purpose = models.CharField("用途", max_length=12, choices=CallPurpose.choices)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", verbose_name="平台")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", verbose_name="账号"
    )
    schedule = models.ForeignKey(
        Schedule, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="定期诊断"
    )
    diagnosis = models.ForeignKey(
        Diagnosis, models.CASCADE, null=True, blank=True, related_name="paid_calls", verbose_name="诊断"
    )
    answer = models.ForeignKey(
        Answer, models.CASCADE, null=True, blank=True, related_name="paid_calls", verbose_name="回答"
    )
    # No foreign key: it only tells which budget was charged, and goes with the diagnosis.
    workspace_id = models.UUIDField("工作区", null=True, blank=True, editable=False)
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.RESERVED)
    reserved = models.DecimalField("预留（元）", max_digits=14, decimal_places=6)
    cost = models.DecimalField("费用（元）", max_digits=14, decimal_places=6)
    prompt_tokens = models.PositiveIntegerField("输入词元", null=True, blank=True)
    completion_tokens = models.PositiveIntegerField("输出词元", null=True, blank=True)
    reasoning_tokens = models.PositiveIntegerField("推理词元", null=True, blank=True)
    searches = models.PositiveIntegerField("搜索次数", null=True, blank=True)
    made_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "付费调用"
        ordering = ["-made_at", "-pk"]
        indexes = [
            # settle_abandoned_calls
            models.Index(fields=["made_at"], name="diagnosis_paidcall_open", condition=Q(state="reserved")),
        ]

    def __str__(self) -> str:
        return f"{self.platform_id} {self.purpose} {self.state}"


class DailySpending(models.Model):
    """The calls of a day in the site's time zone, by platform, account and purpose.

    cost: includes what is reserved for calls in flight. Calls without an account, and those of deleted accounts, have
    several rows a day.
    """

    day = models.DateField("日期")
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", verbose_name="平台")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="账号"
    )
    purpose = models.CharField("用途", max_length=12, choices=CallPurpose.choices)
    calls = models.IntegerField("调用次数", default=0)
    prompt_tokens = models.BigIntegerField("输入词元", default=0)
    completion_tokens = models.BigIntegerField("输出词元", default=0)
    reasoning_tokens = models.BigIntegerField("推理词元", default=0)
    searches = models.BigIntegerField("搜索次数", default=0)
    cost = models.DecimalField("费用（元）", max_digits=16, decimal_places=6, default=0)

    class Meta:
        verbose_name = verbose_name_plural = "每日费用"
        ordering = ["-day", "platform", "purpose", "owner"]
        constraints = [
            models.UniqueConstraint(fields=["day", "platform", "owner", "purpose"], name="diagnosis_dailyspending_day"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.platform_id} {self.purpose}"


class BudgetUse(models.Model):
    """What a platform, account, schedule or workspace has used of its budget of a month; a reservation locks the row.

    key: the id of the platform, account, schedule or workspace. month: its first day. money: includes reservations.
    refused_limit: the budget at which the last call was refused; null if none was.
    """

    scope = models.CharField("范围", max_length=12, choices=BudgetScope.choices)
    key = models.CharField("对象", max_length=36)
    month = models.DateField("月份")
    calls = models.PositiveIntegerField("调用次数", default=0)
    money = models.DecimalField("费用（元）", max_digits=16, decimal_places=6, default=0)
    refused_limit = models.DecimalField("拒绝时的预算（元）", max_digits=16, decimal_places=2, null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "预算使用"
        ordering = ["-month", "scope", "key"]
        constraints = [models.UniqueConstraint(fields=["scope", "key", "month"], name="diagnosis_budgetuse_month")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key} {self.month:%Y-%m}"


class AccountBudget(models.Model):
    """The monthly budget of one account, instead of settings.ACCOUNT_MONTHLY_BUDGET."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+", verbose_name="账号"
    )
    monthly_budget = models.DecimalField(
        "每月预算（元）",
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        help_text="代替站点的默认值；0 表示不允许付费调用。删除此项即恢复默认值",
    )

    class Meta:
        verbose_name = verbose_name_plural = "账号预算"

    def __str__(self) -> str:
        return f"{self.monthly_budget} 元"
