"""Share links of reports and of overviews."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from diagnosis.choices import WorkspaceRole
from diagnosis.models.workspaces import Member, Workspace


class _Link(models.Model):
    """Read access for anyone with the token of a link, a signature of its id. The token is not stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField("创建时间", default=timezone.now, editable=False)
    expires_at = models.DateTimeField("到期时间")
    revoked_at = models.DateTimeField("撤销时间", null=True, blank=True)
    opens = models.PositiveIntegerField("打开次数", default=0)

    class Meta:
        abstract = True
        ordering = ["-created_at", "-id"]


class ShareLinkQuerySet(models.QuerySet["ShareLink"]):
    """Selections of share links."""

    def active(self) -> "ShareLinkQuerySet":
        """Links that are neither revoked nor expired, of active accounts and of workspaces that are not deleted."""
        is_creator_active = Q(created_by=None) | Q(created_by__is_active=True)
        unexpired = self.filter(revoked_at=None, expires_at__gt=timezone.now())
        return unexpired.filter(
            is_creator_active, diagnosis__owner__is_active=True, diagnosis__workspace__deleted_at=None
        )


class ShareLink(_Link):
    """Read access to one report."""

    diagnosis = models.ForeignKey(
        "diagnosis.Diagnosis", models.CASCADE, related_name="share_links", verbose_name="诊断"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name="分享者"
    )

    objects = ShareLinkQuerySet.as_manager()

    class Meta(_Link.Meta):
        verbose_name = verbose_name_plural = "分享链接"

    def __str__(self) -> str:
        return f"{self.diagnosis_id} – {timezone.localtime(self.expires_at):%Y-%m-%d}"


class OverviewLinkQuerySet(models.QuerySet["OverviewLink"]):
    """Selections of links to overviews."""

    def active(self) -> "OverviewLinkQuerySet":
        """Links that are neither revoked nor expired, whose creator is still an active owner of the workspace."""
        owners = Member.objects.filter(
            workspace=OuterRef("workspace"),
            user=OuterRef("created_by"),
            role=WorkspaceRole.OWNER,
            user__is_active=True,
        )
        unexpired = self.filter(revoked_at=None, expires_at__gt=timezone.now(), workspace__deleted_at=None)
        return unexpired.filter(Exists(owners))


class OverviewLink(_Link):
    """Read access to the overview of a workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="overview_links", verbose_name="工作区")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name="分享者")

    objects = OverviewLinkQuerySet.as_manager()

    class Meta(_Link.Meta):
        verbose_name = verbose_name_plural = "概览的分享链接"

    def __str__(self) -> str:
        return f"{self.workspace_id} – {timezone.localtime(self.expires_at):%Y-%m-%d}"
