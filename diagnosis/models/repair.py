"""Records imported from another system, and the journal of repairs."""

from django.db import models
from django.utils import timezone


class LegacyRecord(models.Model):
    """A row of another system's export, unchanged: the source for repairs and for proof of lost data."""

    class State(models.TextChoices):
        """Result of the import."""

        IMPORTED = "imported", "已导入"
        ORPHAN = "orphan", "诊断已不存在"
        SET_ASIDE = "set_aside", "已单独保存"
        UNREADABLE = "unreadable", "无法读取"
        MERGED = "merged", "重复，已合并"

    table = models.CharField("来源表", max_length=128)
    key = models.CharField("来源主键", max_length=128)
    state = models.CharField("状态", max_length=10, choices=State.choices)
    problem = models.CharField("问题", max_length=300, blank=True)
    raw = models.JSONField("原始内容")
    facts = models.JSONField("读出的内容", default=dict, help_text="naive, competitors, progress, status")
    diagnosis = models.OneToOneField(
        "diagnosis.Diagnosis", models.SET_NULL, null=True, blank=True, related_name="legacy", verbose_name="诊断"
    )
    created_at = models.DateTimeField("导入时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "历史导入记录"
        default_permissions = ("view",)
        constraints = [
            # importing the same file again adds nothing
            models.UniqueConstraint(fields=["table", "key"], name="diagnosis_legacy_once"),
        ]
        indexes = [
            # repair_history: answers without a diagnosis
            models.Index(fields=["id"], name="diagnosis_legacy_orphans", condition=models.Q(state="orphan")),
        ]

    def __str__(self) -> str:
        return f"{self.table}:{self.key}"


class RepairRun(models.Model):
    """One `repair_history --apply`. An interrupted run is continued by the next one."""

    started_at = models.DateTimeField("开始时间", default=timezone.now)
    finished_at = models.DateTimeField("结束时间", null=True, blank=True)
    undone_at = models.DateTimeField("撤销时间", null=True, blank=True)
    mended = models.JSONField("已修复", default=dict, help_text="defect: records")

    class Meta:
        verbose_name = verbose_name_plural = "历史修复"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"#{self.pk}"


class RepairChange(models.Model):
    """A row that a repair changed, created (before is null) or deleted (after is null), as {column: value}."""

    run = models.ForeignKey(RepairRun, models.CASCADE, related_name="changes", verbose_name="修复")
    defect = models.CharField("缺陷", max_length=32)
    model = models.CharField("表", max_length=64)
    key = models.CharField("主键", max_length=64)
    before = models.JSONField("之前", null=True)
    after = models.JSONField("之后", null=True)
    is_undone = models.BooleanField("已撤销", default=False)

    class Meta:
        verbose_name = verbose_name_plural = "修复记录"
        default_permissions = ("view",)
        indexes = [
            # --undo: newest first
            models.Index(fields=["run", "-id"], name="diagnosis_repair_undo", condition=models.Q(is_undone=False)),
        ]

    def __str__(self) -> str:
        return f"{self.defect} {self.model} {self.key}"
