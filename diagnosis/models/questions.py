"""The questions of a workspace, their tags, and the panels that ask them."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from diagnosis.models.workspaces import MAX_NAME_KEY_LENGTH, Workspace


class Tag(models.Model):
    """A label of questions."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="tags", verbose_name="工作区")
    name = models.CharField("名称", max_length=40)
    key = models.CharField("规范化名称", max_length=MAX_NAME_KEY_LENGTH)

    class Meta:
        verbose_name = verbose_name_plural = "标签"
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="diagnosis_tag_once")]

    def __str__(self) -> str:
        return self.name


class TrackedQuestion(models.Model):
    """A question of a workspace. Its text never changes: an edited question is a new row that replaces it."""

    class Origin(models.TextChoices):
        """Where a question comes from."""

        MANUAL = "manual", "手动添加"
        IMPORT = "import", "导入"
        TEMPLATE = "template", "模板"
        ORDER = "order", "以前的诊断"
        JUDGE = "judge", "评估平台"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="questions", verbose_name="工作区")
    text = models.CharField("问题", max_length=500)
    key = models.CharField("摘要", max_length=64, help_text="规范化文字的 SHA-256")
    origin = models.CharField("来源", max_length=8, choices=Origin.choices, default=Origin.MANUAL)
    tags = models.ManyToManyField(Tag, related_name="questions", blank=True, verbose_name="标签")
    replaces = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replaced_by", verbose_name="代替"
    )
    archived_at = models.DateTimeField("归档时间", null=True, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "跟踪的问题"
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="diagnosis_trackedquestion_once")]

    def __str__(self) -> str:
        return self.text


class Panel(models.Model):
    """A set of questions and platforms that is asked again and again; its newest version is the current one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="panels", verbose_name="工作区")
    name = models.CharField("名称", max_length=60)
    archived_at = models.DateTimeField("归档时间", null=True, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "问题集"
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.name


class PanelVersion(models.Model):
    """What a panel asks, unchanged once it exists. number: from 1."""

    panel = models.ForeignKey(Panel, models.CASCADE, related_name="versions", verbose_name="问题集")
    number = models.PositiveIntegerField("版本")
    questions = models.ManyToManyField(TrackedQuestion, through="PanelQuestion", verbose_name="问题")
    platforms = ArrayField(models.CharField(max_length=32), verbose_name="平台")
    repeats = models.PositiveSmallIntegerField("重复次数", default=1)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name="创建者"
    )
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "问题集的版本"
        ordering = ["panel", "number"]
        constraints = [models.UniqueConstraint(fields=["panel", "number"], name="diagnosis_panelversion_once")]

    def __str__(self) -> str:
        return f"{self.panel_id} {self.number}"


class PanelQuestion(models.Model):
    """A question at its place in a version."""

    version = models.ForeignKey(PanelVersion, models.CASCADE, related_name="places", verbose_name="版本")
    question = models.ForeignKey(TrackedQuestion, models.CASCADE, related_name="places", verbose_name="问题")
    position = models.PositiveSmallIntegerField("顺序")

    class Meta:
        verbose_name = verbose_name_plural = "问题集的问题"
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "question"], name="diagnosis_panelquestion_once"),
            models.UniqueConstraint(fields=["version", "position"], name="diagnosis_panelquestion_position"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.position}"
