"""What a workspace's members may do next, with the evidence, and how they class sites."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from diagnosis.models.sources import SiteClass
from diagnosis.models.workspaces import Workspace


class FindingKind(models.TextChoices):
    """The rule that an action comes from (diagnosis/workspaces/action_rules.py)."""

    DROP = "drop", "提及率下降"
    LOST_QUESTION = "lost_question", "连续落后的问题"
    WEAK_PLATFORM = "weak_platform", "明显偏低的平台"
    SOURCE_GAP = "source_gap", "只提到竞品的来源"
    BLAME = "blame", "负面说法"
    NEW_RIVAL = "new_rival", "新的竞品"
    SKIPPED_RUN = "skipped_run", "跳过的定期诊断"


class Action(models.Model):
    """A finding of a rule. It is never closed by itself: one that is not seen again only says so.

    subject: what it is about, one action for each. evidence: counts, ids of answers, and texts to show. seen_in: the
    last run that showed it. rule_version: of the rule that wrote the evidence.
    """

    class State(models.TextChoices):
        """What the members decided."""

        OPEN = "open", "待处理"
        TAKEN = "taken", "处理中"
        DONE = "done", "已完成"
        DISMISSED = "dismissed", "已忽略"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="actions", verbose_name="工作区")
    kind = models.CharField("类型", max_length=16, choices=FindingKind.choices)
    subject = models.CharField("对象", max_length=255)
    state = models.CharField("状态", max_length=12, choices=State.choices, default=State.OPEN)
    evidence = models.JSONField("依据", default=dict)
    rule_version = models.PositiveSmallIntegerField("规则版本")
    seen_in = models.ForeignKey(
        "diagnosis.Diagnosis", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="最近出现"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="负责人"
    )
    note = models.CharField("备注", max_length=500, blank=True)
    created_at = models.DateTimeField("首次出现", default=timezone.now, editable=False)
    seen_at = models.DateTimeField("最近出现的时间", default=timezone.now)
    reopened_at = models.DateTimeField("再次出现的时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "待办"
        ordering = ["-seen_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "kind", "subject"], name="diagnosis_action_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class SourceClass(models.Model):
    """The kind of a site for one workspace, instead of that of the site's table."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="source_classes", verbose_name="工作区")
    host = models.CharField("域名", max_length=255)
    kind = models.CharField("类别", max_length=16, choices=SiteClass.KINDS)

    class Meta:
        verbose_name = verbose_name_plural = "工作区的网站类别"
        ordering = ["host"]
        constraints = [models.UniqueConstraint(fields=["workspace", "host"], name="diagnosis_sourceclass_once")]

    def __str__(self) -> str:
        return self.host
