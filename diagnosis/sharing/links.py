"""Create, open and revoke share links."""

import uuid
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import Diagnosis, OverviewLink, ShareLink, Workspace
from diagnosis.row_locks import brief_transaction
from errors.exceptions import InvalidInput, NotFound

MAX_ACTIVE_LINKS = 10  # per diagnosis or overview
MAX_LINK_DAYS = 90


def create_link(diagnosis: Diagnosis, days: int, user: AbstractBaseUser) -> ShareLink:
    """Create a link. Raises DiagnosisRunning until the diagnosis has ended, InvalidInput if it has too many links."""
    with brief_transaction():
        # The lock keeps concurrent requests from exceeding the limit.
        diagnosis = Diagnosis.objects.select_for_update().get(pk=diagnosis.pk)
        if not diagnosis.is_final:
            raise DiagnosisRunning
        if diagnosis.share_links.active().count() >= MAX_ACTIVE_LINKS:
            message = _("一次诊断最多同时有 %(n)d 个有效的分享链接，请先撤销一个。") % {"n": MAX_ACTIVE_LINKS}
            raise InvalidInput(fields={"shares": message})
        expires_at = timezone.now() + timedelta(days=days)
        return diagnosis.share_links.create(created_by_id=user.pk, expires_at=expires_at)


def revoke_link(diagnosis: Diagnosis, link_id: uuid.UUID) -> None:
    """Revoke a link; revoking it again changes nothing. Raises NotFound if it is not a link of the diagnosis."""
    link = diagnosis.share_links.filter(pk=link_id)
    if not link.filter(revoked_at=None).update(revoked_at=timezone.now()) and not link.exists():
        raise NotFound


def create_overview_link(workspace: Workspace, days: int, user: AbstractBaseUser) -> OverviewLink:
    """Create a link to an overview. Raises InvalidInput if it has too many."""
    with brief_transaction():
        Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        if OverviewLink.objects.active().filter(workspace=workspace).count() >= MAX_ACTIVE_LINKS:
            message = _("概览最多同时有 %(n)d 个有效的分享链接，请先撤销一个。") % {"n": MAX_ACTIVE_LINKS}
            raise InvalidInput(fields={"shares": message})
        expires_at = timezone.now() + timedelta(days=days)
        return OverviewLink.objects.create(workspace=workspace, created_by_id=user.pk, expires_at=expires_at)


def revoke_overview_link(workspace: Workspace, link_id: uuid.UUID) -> None:
    """Revoke a link; revoking it again changes nothing. Raises NotFound if it is not a link of the workspace."""
    link = OverviewLink.objects.filter(workspace=workspace, pk=link_id)
    if not link.filter(revoked_at=None).update(revoked_at=timezone.now()) and not link.exists():
        raise NotFound


def get_overview_path(link: OverviewLink) -> str:
    """Return the path of the page that the link opens."""
    return f"/shared/brand/{_get_overview_signer().sign(link.pk.hex)}/"


def open_overview_link(token: str, *, is_counted: bool = True) -> Workspace | None:
    """Return the workspace; None if the token is invalid, expired or revoked. is_counted: count it as an opening."""
    try:
        found = OverviewLink.objects.active().filter(pk=uuid.UUID(_get_overview_signer().unsign(token)))
    except (signing.BadSignature, ValueError):
        return None
    link = found.select_related("workspace").first()
    if link and is_counted:
        found.update(opens=F("opens") + 1)
    return link.workspace if link else None


def _get_overview_signer() -> signing.Signer:
    return signing.Signer(salt="diagnosis.share.overview", sep=".")


def get_link_path(link: ShareLink) -> str:
    """Return the path of the page that the link opens."""
    return f"/shared/{_get_signer().sign(link.pk.hex)}/"


def open_link(token: str, *, is_counted: bool = True) -> uuid.UUID | None:
    """Return the id of the diagnosis; None if the token is invalid, expired or revoked.

    is_counted: count it as an opening.
    """
    try:
        link = ShareLink.objects.active().filter(pk=uuid.UUID(_get_signer().unsign(token)))
    except (signing.BadSignature, ValueError):
        return None
    if is_counted:
        link.update(opens=F("opens") + 1)
    return link.values_list("diagnosis_id", flat=True).first()


def _get_signer() -> signing.Signer:
    return signing.Signer(salt="diagnosis.share", sep=".")
