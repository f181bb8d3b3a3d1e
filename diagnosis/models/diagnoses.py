"""Diagnoses with their brands, questions and planned answers."""

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from diagnosis.choices import (
    FINAL_STATUSES,
    UNFINISHED_STATUSES,
    AnswerState,
    DiagnosisStatus,
    FailureReason,
    PlatformSurface,
    Ternary,
    WireProtocol,
)
from diagnosis.models.access import build_access_filter, can_view_all_diagnoses
from diagnosis.models.platforms import Platform
from diagnosis.models.schedules import Schedule
from progress.models import Stream

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser


class DiagnosisQuerySet(models.QuerySet["Diagnosis"]):
    """Selections of diagnoses."""

    def visible_to(self, user: "AbstractBaseUser | AnonymousUser") -> "DiagnosisQuerySet":
        """Those of the user's workspaces; all for staff with `diagnosis.view_diagnosis`; none without sign-in."""
        if not user.is_authenticated:
            return self.none()
        return self if can_view_all_diagnoses(user) else self.filter(build_access_filter(user.pk))

    def unfinished(self) -> "DiagnosisQuerySet":
        """Diagnoses without a final status. Imported ones are excluded: they are not run but repaired."""
        return self.filter(status__in=UNFINISHED_STATUSES, is_imported=False)

    def ended_with_answers(self) -> "DiagnosisQuerySet":
        """Ended diagnoses with a valid answer, without those that a later successful retry replaces."""
        later_retries = self.model.objects.filter(
            retry_of=models.OuterRef("pk"), status__in=FINAL_STATUSES, valid__gt=0
        )
        return self.filter(~models.Exists(later_retries), status__in=FINAL_STATUSES, valid__gt=0)

    def without_demo(self) -> "DiagnosisQuerySet":
        """Diagnoses of real platforms; only these count in statistics."""
        return self.filter(is_demo=False)


class Diagnosis(models.Model):
    """A set of calls: questions x platforms x repeats. The row is the source of truth for its run."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="diagnoses", verbose_name="所有者")
    stream = models.OneToOneField(Stream, models.PROTECT, related_name="+", verbose_name="进度流")
    workspace = models.ForeignKey(
        "diagnosis.Workspace",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,  # the first column of an index below
        related_name="diagnoses",
        verbose_name="工作区",
    )
    panel_version = models.ForeignKey(
        "diagnosis.PanelVersion",
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,  # the first column of an index below
        related_name="diagnoses",
        verbose_name="问题集的版本",
    )
    names_version = models.PositiveIntegerField(
        "名称版本", null=True, blank=True, editable=False, help_text="空：自己的名称，不随工作区变化"
    )
    status = models.CharField("状态", max_length=16, choices=DiagnosisStatus.choices, default=DiagnosisStatus.QUEUED)
    brand = models.CharField("品牌", max_length=100)
    is_demo = models.BooleanField("演示", default=False)
    is_imported = models.BooleanField("历史导入", default=False, db_default=False, editable=False)
    repeats = models.PositiveSmallIntegerField("重复次数", default=1)
    planned = models.PositiveIntegerField("计划回答数")
    valid = models.PositiveIntegerField("有效", default=0)
    failed = models.PositiveIntegerField("失败", default=0)
    filtered = models.PositiveIntegerField("被拒", default=0)
    carried_over = models.PositiveIntegerField("沿用的回答", default=0)
    retry_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="retries", verbose_name="重试自"
    )
    schedule = models.ForeignKey(
        Schedule,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,  # a partial index, below
        related_name="diagnoses",
        verbose_name="定期诊断",
    )
    estimated_cost = models.DecimalField(
        "估计费用（元）", max_digits=12, decimal_places=4, null=True, blank=True, help_text="空：有平台没有价格"
    )
    judge_calls = models.PositiveIntegerField("情感判断调用数", default=0, db_default=0, editable=False)
    panel = models.CharField("问题集", max_length=64, blank=True, db_default="", editable=False)
    error_code = models.CharField("错误代码", max_length=40, blank=True)
    report = models.JSONField("报告", null=True, blank=True)
    revision = models.PositiveIntegerField("更正次数", default=0, db_default=0, editable=False)
    report_revision = models.PositiveIntegerField("报告所含的更正", default=0, db_default=0, editable=False)
    idempotency_key = models.CharField("幂等键", max_length=128, null=True, blank=True)
    request_hash = models.CharField("请求摘要", max_length=64, blank=True)
    request_id = models.CharField("请求编号", max_length=64, blank=True)
    locale = models.CharField("语言", max_length=16, default="zh-hans")
    job_id = models.BigIntegerField("任务编号", null=True, blank=True)
    run_number = models.PositiveIntegerField("第几次运行", default=0)
    crashes = models.PositiveSmallIntegerField("异常次数", default=0)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)
    started_at = models.DateTimeField("开始时间", null=True, blank=True)
    deadline_at = models.DateTimeField("截止时间", null=True, blank=True)
    finished_at = models.DateTimeField("结束时间", null=True, blank=True)

    objects = DiagnosisQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "诊断"
        ordering = ["-created_at", "-id"]
        constraints = [
            # concurrent requests with the same key create one diagnosis
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="diagnosis_diagnosis_idempotency"),
            models.CheckConstraint(
                condition=Q(planned__gte=models.F("valid") + models.F("failed") + models.F("filtered")),
                name="diagnosis_diagnosis_counts",
            ),
        ]
        indexes = [
            # list_diagnoses: a user's diagnoses, newest first
            models.Index(fields=["owner", "-created_at", "-id"], name="diagnosis_diagnosis_history"),
            # build_trend: diagnoses of a panel
            models.Index(fields=["owner", "panel", "-created_at"], name="diagnosis_diagnosis_panel"),
            # list_runs, visible_to: diagnoses of a workspace, newest first
            models.Index(fields=["workspace", "-created_at", "-id"], name="diagnosis_diagnosis_workspace"),
            # find_same_panel, build_overview: diagnoses of a panel
            models.Index(fields=["workspace", "panel", "-created_at"], name="diagnosis_diagnosis_series"),
            # diagnoses of a panel's version
            models.Index(
                fields=["panel_version", "-created_at"],
                name="diagnosis_diagnosis_version",
                condition=Q(panel_version__isnull=False),
            ),
            # find_recountable: diagnoses whose names are outdated
            models.Index(
                fields=["workspace", "names_version", "-created_at"],
                name="diagnosis_diagnosis_names",
                condition=Q(names_version__isnull=False),
            ),
            # fill_workspaces: diagnoses without a workspace
            models.Index(
                fields=["-created_at"], name="diagnosis_diagnosis_unassigned", condition=Q(workspace__isnull=True)
            ),
            # get_spent_this_month: diagnoses of a schedule
            models.Index(fields=["schedule"], name="diagnosis_diagnosis_schedule", condition=Q(schedule__isnull=False)),
            # requeue_recalculations: reports that do not include all corrections
            models.Index(
                fields=["id"],
                name="diagnosis_diagnosis_outdated",
                condition=Q(revision__gt=models.F("report_revision")),
            ),
            # requeue_orphans, expire_overdue, check_quota: unfinished diagnoses
            models.Index(
                fields=["created_at"],
                name="diagnosis_diagnosis_unfinished",
                condition=Q(status__in=UNFINISHED_STATUSES),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {timezone.localtime(self.created_at):%Y-%m-%d %H:%M}"

    @property
    def is_final(self) -> bool:
        """Whether its status is final."""
        return self.status not in UNFINISHED_STATUSES

    def get_platforms(self) -> list[Platform]:
        """Return the platforms of its answers, in their order."""
        return list(Platform.objects.filter(pk__in=self.answers.values("platform_id")))

    @property
    def settled_count(self) -> int:
        """Number of answers that are no longer pending."""
        return self.valid + self.failed + self.filtered


class Brand(models.Model):
    """A brand to find in the answers: the user's own, or a competitor."""

    FIRST_ADDED_POSITION = 1000  # first position of competitors that were added to a finished diagnosis

    diagnosis = models.ForeignKey(Diagnosis, models.CASCADE, related_name="brands", verbose_name="诊断")
    name = models.CharField("名称", max_length=100)
    aliases = ArrayField(models.CharField(max_length=100), verbose_name="别名", default=list, blank=True)
    sites = ArrayField(
        models.CharField(max_length=255),
        verbose_name="网站",
        default=list,
        db_default=[],
        blank=True,
        help_text="品牌自己的网站的域名，例如 example.com；子域名也算",
    )
    is_own = models.BooleanField("本品牌", default=False)
    position = models.PositiveSmallIntegerField("顺序", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "品牌"
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["diagnosis", "name"], name="diagnosis_brand_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_added(self) -> bool:
        """Whether it was added to a finished diagnosis, and so may be removed."""
        return self.position >= self.FIRST_ADDED_POSITION


class Question(models.Model):
    """A question of a buyer, sent to the platforms unchanged: the brand is never added to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    diagnosis = models.ForeignKey(Diagnosis, models.CASCADE, related_name="questions", verbose_name="诊断")
    position = models.PositiveSmallIntegerField("顺序")
    text = models.CharField("问题", max_length=500)
    is_about_brand = models.BooleanField(
        "问的是品牌", default=False, db_default=False, help_text="用户确认：问题里既是词又是品牌名的字，指的是品牌"
    )

    class Meta:
        verbose_name = verbose_name_plural = "问题"
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["diagnosis", "position"], name="diagnosis_question_position")]

    def __str__(self) -> str:
        return self.text


class Answer(models.Model):
    """One planned call: question x platform x repeat. Created as pending; its result is stored once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    diagnosis = models.ForeignKey(Diagnosis, models.CASCADE, related_name="answers", verbose_name="诊断")
    question = models.ForeignKey(Question, models.CASCADE, related_name="answers", verbose_name="问题")
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="answers", verbose_name="平台")
    repeat = models.PositiveSmallIntegerField("第几次")
    state = models.CharField("状态", max_length=8, choices=AnswerState.choices, default=AnswerState.PENDING)
    text = models.TextField("回答", blank=True)
    model = models.CharField("模型", max_length=128, blank=True, help_text="平台回复中的名称")
    requested_model = models.CharField("请求的模型", max_length=128, default="", db_default="", blank=True)
    protocol = models.CharField(
        "协议", max_length=24, choices=WireProtocol.choices, default=WireProtocol.CHAT, db_default=WireProtocol.CHAT
    )
    surface = models.CharField(
        "测量方式",
        max_length=8,
        choices=PlatformSurface.choices,
        default=PlatformSurface.MEMORY,
        db_default=PlatformSurface.MEMORY,
    )
    params_hash = models.CharField(
        "参数摘要", max_length=16, default="", db_default="", blank=True, help_text="相同：问题以外的请求内容相同"
    )
    finish = models.CharField("结束方式", max_length=64, default="", db_default="", blank=True)
    is_search_forced = models.BooleanField("强制搜索", default=False, db_default=False)
    search_happened = models.CharField(
        "搜索过", max_length=8, choices=Ternary.choices, default=Ternary.NO, db_default=Ternary.NO
    )
    search_count = models.PositiveIntegerField("搜索次数", null=True, blank=True)
    search_count_basis = models.CharField(
        "次数按什么算", max_length=16, default="", db_default="", blank=True, help_text="各平台计数的对象不同"
    )
    search_errors = models.JSONField("搜索错误", default=list, db_default=[], blank=True)
    tells_queries = models.BooleanField("平台给出搜索词", default=False, db_default=False)
    mentions = models.JSONField("提及", default=list, blank=True)
    others = models.JSONField("提及的其他品牌", null=True, blank=True, help_text="空：尚未分析")
    discovered = models.JSONField("推测的其他品牌", default=list, db_default=[], blank=True)
    domains = models.JSONField("提到的网站", null=True, blank=True, help_text="空：尚未分析")
    matcher_version = models.PositiveSmallIntegerField(
        "识别规则版本", default=0, db_default=0, help_text="0：没有记录的早期版本"
    )
    extraction = models.JSONField("评估模型的提取", null=True, blank=True, db_column="verdicts", help_text="空：未评估")
    reason = models.CharField("原因", max_length=16, choices=FailureReason.choices, blank=True)
    error_code = models.CharField("错误代码", max_length=40, blank=True)
    error_detail = models.CharField("错误详情（运营可见）", max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField("尝试次数", default=0)
    milliseconds = models.PositiveIntegerField("耗时（毫秒）", null=True, blank=True)
    is_demo = models.BooleanField("演示", default=False)
    is_truncated = models.BooleanField("被截断", default=False, db_default=False)
    is_carried_over = models.BooleanField("沿用自上次", default=False)
    answered_at = models.DateTimeField("时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "回答"
        ordering = ["question__position", "platform__position", "repeat"]
        constraints = [
            models.UniqueConstraint(fields=["question", "platform", "repeat"], name="diagnosis_answer_once"),
            models.CheckConstraint(
                condition=~Q(state=AnswerState.VALID) | ~Q(text=""), name="diagnosis_answer_valid_has_text"
            ),
        ]
        indexes = [
            # begin_run, find_pending_answers: pending answers of a diagnosis
            models.Index(fields=["diagnosis"], name="diagnosis_answer_pending", condition=Q(state=AnswerState.PENDING)),
            # get_recent_latencies: the latest answers of a platform
            models.Index(
                fields=["platform", "-answered_at"],
                name="diagnosis_answer_latency",
                condition=Q(state=AnswerState.VALID, is_carried_over=False),
            ),
            # find_platform_problems: the last answers of a platform
            models.Index(
                fields=["platform", "-answered_at"],
                name="diagnosis_answer_recent",
                condition=~Q(state=AnswerState.PENDING) & Q(is_carried_over=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.platform_id} {self.state}"

    @property
    def is_search_requested(self) -> bool:
        """Whether the platform was asked to search."""
        return self.surface != PlatformSurface.MEMORY

    @property
    def is_without_requested_search(self) -> bool:
        """Whether a search was asked for and is not known to have happened: no evidence of what a search would find."""
        return self.is_search_requested and self.search_happened != Ternary.YES
