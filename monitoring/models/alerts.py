"""Alerts, their timelines, and silences."""

from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import Q, Value
from django.utils import timezone

from monitoring.label_matchers import validate_matchers, validate_weekly_windows
from monitoring.models.rules import AlertSeverity, Rule


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> "AlertQuerySet":
        """Alerts that are not resolved."""
        return self.filter(resolved_at=None)

    def insert_unless_open(self, alert: "Alert") -> bool:
        """Insert an alert; return False if one with its fingerprint is open already."""
        try:
            with transaction.atomic():
                alert.save(force_insert=True)
        except IntegrityError:
            if self.open().filter(fingerprint=alert.fingerprint).exists():
                return False
            raise
        return True


class Alert(models.Model):
    """One incident, from firing to resolution. At most one alert per `fingerprint` is open."""

    class Source(models.TextChoices):
        """What detected the incident."""

        RULE = "rule", "本站规则"
        WATCHDOG = "watchdog", "心跳检查"
        PROMETHEUS = "prometheus", "Prometheus"
        CODE = "code", "程序"

    objects = AlertQuerySet.as_manager()

    source = models.CharField("来源", max_length=10, choices=Source.choices, default=Source.RULE)
    fingerprint = models.CharField("同一事件", max_length=120, help_text="rule:NAME, watchdog:NAME, prometheus:…")
    rule = models.ForeignKey(Rule, models.SET_NULL, null=True, blank=True, related_name="alerts", verbose_name="规则")
    rule_name = models.CharField("规则名称", max_length=120)
    rule_as_it_was = models.JSONField("触发时的规则", default=dict)
    title = models.CharField("标题", max_length=200)
    severity = models.CharField("级别", max_length=8, choices=AlertSeverity.choices)
    labels = models.JSONField("标签", default=dict, blank=True)
    summary = models.CharField("经过", max_length=500, blank=True)
    details = models.JSONField("明细", default=list, db_default=Value([], models.JSONField()), blank=True)
    runbook_url = models.CharField("处理手册", max_length=300, blank=True)
    value = models.FloatField("值", null=True, blank=True)
    low = models.FloatField("下界", null=True, blank=True)
    high = models.FloatField("上界", null=True, blank=True)
    numerator = models.FloatField("分子", null=True, blank=True)
    denominator = models.FloatField("分母", null=True, blank=True)
    current_value = models.FloatField("最近通知时的值", null=True, blank=True)
    peak_value = models.FloatField("最差的值", null=True, blank=True)
    repeats = models.PositiveSmallIntegerField("再次通知次数", default=0, db_default=0)
    fired_at = models.DateTimeField("触发时间", default=timezone.now)
    notified_at = models.DateTimeField("最近通知", null=True, blank=True)
    resolved_at = models.DateTimeField("解除时间", null=True, blank=True)
    acknowledged_at = models.DateTimeField("确认时间", null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="确认人"
    )
    held_back_by = models.ForeignKey(
        "Silence", models.SET_NULL, null=True, blank=True, related_name="held_back", verbose_name="被静默"
    )

    class Meta:
        verbose_name = verbose_name_plural = "告警"
        ordering = ["-fired_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=Q(resolved_at=None), name="monitoring_alert_one_open"
            )
        ]
        indexes = [models.Index(fields=["-fired_at"], name="monitoring_alert_latest")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def is_open(self) -> bool:
        """Whether the alert is not resolved."""
        return self.resolved_at is None


class AlertNote(models.Model):
    """An entry in the timeline of an alert."""

    class Kind(models.TextChoices):
        FIRED = "fired", "触发"
        REPEATED = "repeated", "再次通知"
        RESOLVED = "resolved", "解除"
        ACKNOWLEDGED = "acknowledged", "确认"
        NOTE = "note", "备注"
        HELD_BACK = "held_back", "静默中，未通知"
        DELIVERED = "delivered", "已送达"
        UNDELIVERED = "undelivered", "未送达"

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="timeline", verbose_name="告警")
    kind = models.CharField("类型", max_length=12, choices=Kind.choices)
    text = models.CharField("内容", max_length=1000, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="作者"
    )
    silence = models.ForeignKey(
        "Silence", models.SET_NULL, null=True, blank=True, related_name="notes", verbose_name="被静默"
    )
    created_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "经过"
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.text}"


class SilenceQuerySet(models.QuerySet["Silence"]):
    def started_and_not_ended(self) -> "SilenceQuerySet":
        """Silences whose period includes now; of a weekly one, now may be outside of its windows."""
        now = timezone.now()
        return self.filter(starts_at__lte=now, ends_at__gt=now)


class Silence(models.Model):
    """Suppresses the notifications of matching alerts for a time, or in weekly windows; a summary is sent when it ends.

    matchers: [{"label": "rule" | "severity" | "source" | a label, "op": "=" | "!=", "values": [...]}]; all must match.
    weekly: [{"days": [0..6, Monday first], "from": "HH:MM", "to": "HH:MM"}] within starts_at..ends_at, in the site's
    time zone; an empty list means the whole time. A window whose `to` is not after its `from` ends on the next day.
    """

    objects = SilenceQuerySet.as_manager()

    comment = models.CharField("原因", max_length=200)
    matchers = models.JSONField("条件", default=list, help_text="全部满足才静默；空列表静默所有告警")
    starts_at = models.DateTimeField("开始", default=timezone.now)
    ends_at = models.DateTimeField("结束")
    weekly = models.JSONField("每周时段", default=list, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="作者"
    )
    summed_up_at = models.DateTimeField("已汇总通知到", null=True, blank=True, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "静默"
        ordering = ["-ends_at"]

    def __str__(self) -> str:
        return self.comment

    def claim_suppressed_notes(self, now: datetime) -> list[AlertNote]:
        """Return the suppressed notifications that are in no summary yet, unless another process claims them first.

        In the transaction that writes the summary.
        """
        notes = self.notes.filter(created_at__lte=now).select_related("alert")
        if self.summed_up_at:
            notes = notes.filter(created_at__gt=self.summed_up_at)
        is_claimed = Silence.objects.filter(pk=self.pk, summed_up_at=self.summed_up_at).update(summed_up_at=now)
        return list(notes) if is_claimed else []

    def clean(self) -> None:
        """Validate matchers, weekly windows and the end time."""
        errors = {"matchers": validate_matchers(self.matchers), "weekly": validate_weekly_windows(self.weekly)}
        if self.ends_at and self.ends_at <= self.starts_at:
            errors["ends_at"] = ["结束必须晚于开始"]
        errors = {field: texts for field, texts in errors.items() if texts}
        if errors:
            raise ValidationError(errors)
