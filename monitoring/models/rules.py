"""Alert rules, which operators edit, and the state of each after its last evaluation."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from monitoring.models.delivery import Channel


class AlertSeverity(models.TextChoices):
    """In ascending order."""

    INFO = "info", "提示"
    WARNING = "warning", "警告"
    ERROR = "error", "错误"
    CRITICAL = "critical", "严重"


class Rule(models.Model):
    """One condition on metrics.

    ratio: sum of increases of the numerator / that of the denominator, 0 to 1, with Wilson's interval.
    mean: the same sums of a histogram's `_sum` and `_count`.
    gauge: the sum of the last values of all running processes.
    """

    class Kind(models.TextChoices):
        """How the value is computed."""

        RATIO = "ratio", "比率"
        MEAN = "mean", "平均值"
        GAUGE = "gauge", "当前值"

    class Comparison(models.TextChoices):
        """On which side of the threshold the rule fires."""

        ABOVE = ">", "高于"
        BELOW = "<", "低于"

    class NoData(models.TextChoices):
        """How a rule without samples is treated."""

        KEEP = "keep", "保持原状"
        OK = "ok", "视为正常"
        ALERT = "alert", "视为异常"

    name = models.SlugField("名称", max_length=64, unique=True, help_text="英文小写，例如 high_error_rate")
    title = models.CharField("标题", max_length=80, help_text="通知里的第一行")
    title_en = models.CharField("英文标题", max_length=120, blank=True)
    description = models.TextField("说明", blank=True)
    is_enabled = models.BooleanField("启用", default=True)
    severity = models.CharField("级别", max_length=8, choices=AlertSeverity.choices, default=AlertSeverity.WARNING)

    kind = models.CharField("计算方式", max_length=8, choices=Kind.choices)
    metric = models.CharField("指标", max_length=120, help_text="比率：分子；平均值：直方图；当前值：仪表")
    matchers = models.JSONField(
        "标签条件",
        default=list,
        blank=True,
        help_text='[{"label": "outcome", "op": "!=", "values": ["valid"]}]；op 为 = 或 !=，values 任一',
    )
    denominator = models.CharField("分母指标", max_length=120, blank=True, help_text="只用于比率")
    denominator_matchers = models.JSONField("分母标签条件", default=list, blank=True)
    comparison = models.CharField("比较", max_length=1, choices=Comparison.choices, default=Comparison.ABOVE)
    threshold = models.FloatField("阈值", help_text="比率为 0 到 1：0.05 即 5 %")
    resolve_threshold = models.FloatField("恢复阈值", null=True, blank=True, help_text="留空则与阈值相同")

    window_seconds = models.PositiveIntegerField("时间窗（秒）", default=300, validators=[MinValueValidator(30)])
    widest_window_seconds = models.PositiveIntegerField(
        "最宽时间窗（秒）",
        default=1800,
        help_text="样本不足时，时间窗最多放宽到这里",
        validators=[MaxValueValidator(86_400)],
    )
    enough_samples = models.PositiveIntegerField(
        "足够的样本数",
        default=50,
        validators=[MaxValueValidator(10_000)],
        help_text="达到后不再放宽时间窗；也是按次数取证时最多看的次数",
    )
    least_samples = models.PositiveIntegerField("最少样本数", default=8, help_text="不足则不判断")
    evidence_days = models.FloatField(
        "按次数取证（天）",
        default=3,
        db_default=3,
        validators=[MinValueValidator(0), MaxValueValidator(7)],
        help_text="时间窗内样本不足时，改看这些天里最近的若干次；0 为不看",
    )
    confidence = models.FloatField(
        "置信度",
        default=0.95,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.99999)],
        help_text="单侧，对最宽的时间窗；较窄的时间窗和较少的次数要求更高",
    )
    for_seconds = models.PositiveIntegerField("持续多久才触发（秒）", default=60)
    keep_firing_seconds = models.PositiveIntegerField("恢复多久才解除（秒）", default=120)
    repeat_seconds = models.PositiveIntegerField("未解除时多久再通知（秒）", default=14_400, help_text="0 为不再通知")
    cooldown_seconds = models.PositiveIntegerField("解除后多久内不再触发（秒）", default=300)
    no_data = models.CharField("没有数据时", max_length=5, choices=NoData.choices, default=NoData.KEEP)
    inhibited_by = models.JSONField(
        "由哪些告警说明",
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="这些告警未解除时，本规则不另行告警：规则名称的列表，platform_unavailable 为平台无法回答",
    )
    runbook_url = models.CharField("处理手册", max_length=300, blank=True)
    channels = models.ManyToManyField(Channel, verbose_name="通知渠道", blank=True, help_text="留空则用所有默认渠道")
    includes_demo = models.BooleanField("包含演示平台", default=False, help_text="演示平台的失败不是事故，默认不计")

    seeded = models.JSONField("随版本提供的内容", default=dict, editable=False)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)
    updated_at = models.DateTimeField("更新时间", auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "告警规则"
        ordering = ["name"]
        permissions = [("acknowledge_alert", "可以确认告警")]

    def __str__(self) -> str:
        return self.title or self.name


class SeededRule(models.Model):
    """Records that a release has added this rule, so that a rule deleted by an operator is not added again."""

    name = models.SlugField("名称", max_length=64, primary_key=True)

    class Meta:
        verbose_name = verbose_name_plural = "随版本提供的规则"

    def __str__(self) -> str:
        return self.name


class RuleState(models.Model):
    """State of a rule after its last evaluation; evaluators claim a rule by a conditional update of `tick`."""

    class State(models.TextChoices):
        """INSUFFICIENT neither fires nor resolves."""

        OK = "ok", "正常"
        PENDING = "pending", "待确认"
        FIRING = "firing", "告警中"
        INSUFFICIENT = "insufficient", "样本不足"
        NO_DATA = "no_data", "没有数据"
        FAILED = "failed", "计算失败"

    rule = models.OneToOneField(Rule, models.CASCADE, primary_key=True, related_name="state", verbose_name="规则")
    state = models.CharField("状态", max_length=12, choices=State.choices, default=State.OK)
    tick = models.BigIntegerField("已计算到", default=0, help_text="计算的序号：时间除以间隔")
    since = models.DateTimeField("开始于", default=timezone.now)
    breached_since = models.DateTimeField("超过阈值起", null=True, blank=True)
    recovered_since = models.DateTimeField("恢复起", null=True, blank=True)
    insufficient_since = models.DateTimeField("没有样本起", null=True, blank=True)
    peak_value = models.FloatField("告警期间最差的值", null=True, blank=True)
    resolved_at = models.DateTimeField("上次解除", null=True, blank=True)
    evaluated_at = models.DateTimeField("最近计算", null=True, blank=True)
    value = models.FloatField("值", null=True, blank=True)
    low = models.FloatField("下界", null=True, blank=True)
    high = models.FloatField("上界", null=True, blank=True)
    numerator = models.FloatField("分子", null=True, blank=True)
    denominator = models.FloatField("分母", null=True, blank=True)
    window_seconds = models.PositiveIntegerField("所用时间窗（秒）", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "规则状态"

    def __str__(self) -> str:
        return f"{self.rule_id} {self.state}"
