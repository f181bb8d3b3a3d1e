"""The names of a workspace: its tracked brands with their spellings, and names found in answers."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from diagnosis.models.diagnoses import Answer
from diagnosis.models.workspaces import MAX_NAME_KEY_LENGTH, Workspace


class TrackedBrand(models.Model):
    """A brand that the runs of a workspace look for. Its name is one of its spellings."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="brands", verbose_name="工作区")
    name = models.CharField("名称", max_length=100)
    is_own = models.BooleanField("本品牌", default=False)
    sites = ArrayField(models.CharField(max_length=255), verbose_name="网站", default=list, blank=True)
    position = models.PositiveSmallIntegerField("顺序", default=0)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "跟踪的品牌"
        ordering = ["-is_own", "position", "created_at"]
        constraints = [
            models.UniqueConstraint(fields=["workspace"], condition=Q(is_own=True), name="diagnosis_trackedbrand_own"),
        ]

    def __str__(self) -> str:
        return self.name


class Spelling(models.Model):
    """How a tracked brand is written; no two brands of a workspace share one."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="spellings", verbose_name="工作区")
    brand = models.ForeignKey(TrackedBrand, models.CASCADE, related_name="spellings", verbose_name="品牌")
    text = models.CharField("写法", max_length=100)
    key = models.CharField("规范化写法", max_length=MAX_NAME_KEY_LENGTH)

    class Meta:
        verbose_name = verbose_name_plural = "品牌的写法"
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="diagnosis_spelling_once")]

    def __str__(self) -> str:
        return self.text


class NameCandidate(models.Model):
    """A name that answers mention and that is not tracked. brand: what an accepted or merged one became part of."""

    class State(models.TextChoices):
        """What was decided about a name."""

        NEW = "new", "待确认"
        ACCEPTED = "accepted", "已跟踪"
        IGNORED = "ignored", "已忽略"
        MERGED = "merged", "已合并"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="candidates", verbose_name="工作区")
    name = models.CharField("名称", max_length=100)
    key = models.CharField("规范化名称", max_length=MAX_NAME_KEY_LENGTH)
    is_guess = models.BooleanField("推测", default=False, help_text="只按回答的结构推测，不是已知品牌")
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.NEW)
    brand = models.ForeignKey(
        TrackedBrand, models.CASCADE, null=True, blank=True, related_name="candidates", verbose_name="品牌"
    )
    created_at = models.DateTimeField("发现时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "发现的名称"
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "key"], name="diagnosis_namecandidate_once"),
            models.CheckConstraint(
                condition=Q(state__in=["accepted", "merged"], brand__isnull=False)
                | Q(state__in=["new", "ignored"], brand__isnull=True),
                name="diagnosis_namecandidate_brand",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class NameSighting(models.Model):
    """An answer that mentions a candidate."""

    candidate = models.ForeignKey(NameCandidate, models.CASCADE, related_name="sightings", verbose_name="名称")
    answer = models.ForeignKey(Answer, models.CASCADE, related_name="+", verbose_name="回答")

    class Meta:
        verbose_name = verbose_name_plural = "名称的出处"
        constraints = [models.UniqueConstraint(fields=["candidate", "answer"], name="diagnosis_namesighting_once")]

    def __str__(self) -> str:
        return f"{self.candidate_id} {self.answer_id}"


class NamesChange(models.Model):
    """An applied change of the names, with what undoes it. brands: all brands with spellings as they were before."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="names_changes", verbose_name="工作区")
    version = models.PositiveIntegerField("之后的版本")
    brands = models.JSONField("之前的品牌")
    created_at = models.DateTimeField("时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "名称的变更"
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["workspace", "version"], name="diagnosis_nameschange_once")]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.version}"
