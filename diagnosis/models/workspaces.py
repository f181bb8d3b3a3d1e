"""Workspaces of brands, their members, and the figures of their runs."""

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from diagnosis.choices import PlatformSurface, WorkspaceRole
from diagnosis.models.diagnoses import Diagnosis

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

MAX_NAME_KEY_LENGTH = 255


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    """Selections of workspaces."""

    def visible_to(self, user: "AbstractBaseUser | AnonymousUser") -> "WorkspaceQuerySet":
        """Those of which the user is a member, without those that are being deleted."""
        return self.filter(members__user_id=user.pk, deleted_at=None) if user.is_authenticated else self.none()


class Workspace(models.Model):
    """The diagnoses of one brand, for its members.

    default_for: whose diagnoses of this brand come here if the order names no workspace. key: the normalized name.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField("名称", max_length=100)
    key = models.CharField("规范化名称", max_length=MAX_NAME_KEY_LENGTH, editable=False)
    is_demo = models.BooleanField("演示", default=False)
    default_for = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="默认归属"
    )
    names_version = models.PositiveIntegerField("名称版本", default=1, editable=False)
    budget_calls = models.PositiveIntegerField("每月调用次数预算", null=True, blank=True, help_text="空：不限")
    budget_money = models.DecimalField(
        "每月费用预算（元）", max_digits=12, decimal_places=2, null=True, blank=True, help_text="空：不限"
    )
    deleted_at = models.DateTimeField("请求删除的时间", null=True, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "工作区"
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["default_for", "key", "is_demo"], name="diagnosis_workspace_default"),
        ]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A user's role in a workspace."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="members", verbose_name="工作区")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships", verbose_name="成员")
    role = models.CharField("角色", max_length=8, choices=WorkspaceRole.choices)
    joined_at = models.DateTimeField("加入时间", default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "工作区成员"
        ordering = ["joined_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="diagnosis_member_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Selections of invitations."""

    def open(self) -> "InvitationQuerySet":
        """Those that can still be accepted."""
        unused = self.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())
        return unused.filter(workspace__deleted_at=None)


class Invitation(models.Model):
    """A link that makes the first person who accepts it a member. Only the hash of its token is stored.

    email: the address that the accepting account must have; empty for anyone with the link.
    """

    ROLES = [(role.value, role.label) for role in WorkspaceRole if role != WorkspaceRole.OWNER]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations", verbose_name="工作区")
    role = models.CharField("角色", max_length=8, choices=ROLES)
    email = models.EmailField("邮箱", max_length=254, blank=True, db_default="")
    token_hash = models.CharField("令牌摘要", max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name="邀请者"
    )
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)
    expires_at = models.DateTimeField("到期时间")
    accepted_at = models.DateTimeField("接受时间", null=True, blank=True)
    revoked_at = models.DateTimeField("撤销时间", null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "工作区邀请"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(revoked_at=None), name="diagnosis_invitation_one_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.role}"


class RunSummary(models.Model):
    """What pages and digests show of an ended diagnosis, stored with its report; see workspaces/rollups.py.

    previous: the earlier run of the panel that it is compared with; changes: of each brand since then; breaks: what was
    measured differently. own_site: {surface: answers that cite the own site, and all}. lost: the questions where a
    competitor is named more often. questions: the own brand in k of n answers to each unbranded question.
    """

    diagnosis = models.OneToOneField(
        Diagnosis, models.CASCADE, primary_key=True, related_name="summary", verbose_name="诊断"
    )
    surface = models.CharField("测量方式", max_length=8, choices=PlatformSurface.choices)
    surfaces = models.JSONField("所有测量方式", default=list)
    previous = models.ForeignKey(
        Diagnosis, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="上一次"
    )
    changes = models.JSONField("变化", default=list)
    breaks = models.JSONField("测量方式的变化", default=list)
    platforms = models.JSONField("平台", default=list)
    own_site = models.JSONField("引用自有网站", default=dict)
    lost = models.JSONField("落后的问题", default=list)
    questions = models.JSONField("各问题", default=list)

    class Meta:
        verbose_name = verbose_name_plural = "诊断摘要"

    def __str__(self) -> str:
        return str(self.diagnosis_id)

    def list_significant_changes(self) -> list[dict[str, Any]]:
        """Return the brands whose rate changed since the previous run."""
        return [change for change in self.changes if change["changed"] != "none"]


class RunFigure(models.Model):
    """How often a run names a brand: k of n valid answers of one surface, of one platform or ("") of all of them.

    first: answers that name it before the others. share: of all brands' mentions. recommended: of the judged answers.
    """

    diagnosis = models.ForeignKey(Diagnosis, models.CASCADE, related_name="figures", verbose_name="诊断")
    key = models.CharField("规范化名称", max_length=MAX_NAME_KEY_LENGTH)
    name = models.CharField("品牌", max_length=100)
    is_own = models.BooleanField("本品牌", default=False)
    position = models.PositiveSmallIntegerField("顺序", default=0)
    surface = models.CharField("测量方式", max_length=8, choices=PlatformSurface.choices)
    platform = models.CharField("平台", max_length=32, blank=True, help_text="空：该测量方式的所有平台")
    k = models.PositiveIntegerField("提及的回答")
    n = models.PositiveIntegerField("有效回答")
    first = models.PositiveIntegerField("首先提及", default=0)
    judged = models.PositiveIntegerField("评估过的回答", default=0)
    recommended = models.PositiveIntegerField("推荐的回答", default=0)
    share = models.FloatField("声量份额", null=True, blank=True)
    share_low = models.FloatField("份额下限", null=True, blank=True)
    share_high = models.FloatField("份额上限", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "诊断数字"
        ordering = ["diagnosis", "position", "platform"]
        constraints = [
            models.UniqueConstraint(
                fields=["diagnosis", "key", "surface", "platform"], name="diagnosis_runfigure_once"
            ),
            models.CheckConstraint(
                condition=Q(first__lte=F("k")) & Q(k__lte=F("n")) & Q(recommended__lte=F("judged")),
                name="diagnosis_runfigure_counts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.platform} {self.k}/{self.n}"
