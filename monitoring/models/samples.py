"""Samples of the metrics of every process: absolute values, one per series and time bucket."""

import uuid
from datetime import UTC, datetime

from django.db import models

BUCKET_SECONDS = 15


def floor_to_bucket(moment: datetime) -> datetime:
    """Return the start of the bucket that contains a moment."""
    return datetime.fromtimestamp(moment.timestamp() // BUCKET_SECONDS * BUCKET_SECONDS, UTC)


class Process(models.Model):
    """One run of a process. A restart is a new row, so its counters start at zero and never decrease."""

    class Kind(models.TextChoices):
        SERVER = "server", "网站"
        WORKER = "worker", "后台任务"
        COMMAND = "command", "命令"
        SITE = "site", "全站"  # not a process: gauges computed from the database, the same in every process

    id = models.UUIDField("编号", primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField("类型", max_length=8, choices=Kind.choices)
    host = models.CharField("主机", max_length=120)
    pid = models.PositiveIntegerField("进程号")
    started_at = models.DateTimeField("启动时间")
    seen_at = models.DateTimeField("最近上报", db_index=True)
    ended_at = models.DateTimeField("结束时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "进程"

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.host}:{self.pid}"


class Series(models.Model):
    """A metric with its labels, named as in Prometheus: `diagnosis_calls_total`, `diagnosis_call_seconds_sum`."""

    metric = models.CharField("指标", max_length=120)
    labels = models.JSONField("标签", default=dict)
    key = models.CharField("指标与标签", max_length=400, unique=True, help_text="metric{label=value,…}，标签已排序")

    class Meta:
        verbose_name = verbose_name_plural = "时间序列"
        indexes = [models.Index(fields=["metric"], name="monitoring_series_metric")]

    def __str__(self) -> str:
        return self.key


class Sample(models.Model):
    """The value of a series of a process at the end of a bucket. A repeated flush updates the same row."""

    process = models.ForeignKey(Process, models.CASCADE, related_name="samples", verbose_name="进程")
    series = models.ForeignKey(Series, models.CASCADE, related_name="samples", verbose_name="时间序列")
    bucket = models.DateTimeField("时段起点")
    value = models.FloatField("值")

    class Meta:
        verbose_name = verbose_name_plural = "采样"
        constraints = [
            # also read by evaluations: the last value of a series and process before a moment
            models.UniqueConstraint(fields=["series", "process", "bucket"], name="monitoring_sample_once"),
        ]
        indexes = [
            # deletion by age (diagsite/operations/retention.py)
            models.Index(fields=["bucket"], name="monitoring_sample_bucket"),
        ]

    def __str__(self) -> str:
        return f"{self.series_id} {self.bucket:%F %T} {self.value}"


class Heartbeat(models.Model):
    """A periodic activity (evaluator, sender) and when it last ran."""

    name = models.CharField("名称", max_length=40, primary_key=True)
    beaten_at = models.DateTimeField("最近一次")
    interval_seconds = models.FloatField("间隔（秒）")
    by = models.CharField("由谁", max_length=160, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "心跳"

    def __str__(self) -> str:
        return self.name
