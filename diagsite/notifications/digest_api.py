"""HTTP API of digests: the caller's subscription in a workspace, and ending one from an e-mail."""

import uuid
from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status

from diagnosis.api.access import get_membership, get_request_user
from diagnosis.models import Digest, DigestIssue, Member
from diagsite.models import User
from diagsite.notifications.digest_mail import end_digest
from errors.exceptions import InvalidInput, NotFound
from errors.problems import get_current_locale

router = Router(tags=["digests"])

MAX_LISTED_ISSUES = 12


class DigestIn(Schema):
    """How often, and where: on the page only, or also by e-mail to the address of the account."""

    every: Literal["weekly", "monthly"]
    channel: Literal["page", "email"] = "page"


class DigestIssueOut(Schema):
    """The digest of a window. content: `overview` as of its end, or null, and `skipped` runs."""

    window_start: datetime
    window_end: datetime
    state: Literal["waiting", "sending", "sent", "given_up", "on_page"]
    content: dict[str, Any]


class DigestOut(Schema):
    """The subscription, null values without one, and the latest digests. email: the address of the account, or ""."""

    every: Literal["weekly", "monthly"] | None
    channel: Literal["page", "email"] | None
    email: str
    issues: list[DigestIssueOut]


@router.get(
    "/workspaces/{workspace_id}/digest", response=DigestOut, summary="Get the digest", operation_id="get_digest"
)
def get_digest(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Return the caller's subscription in a workspace, with the latest digests."""
    return _serialize(get_membership(request, workspace_id), request)


@router.put(
    "/workspaces/{workspace_id}/digest",
    response=DigestOut,
    summary="Subscribe to the digest",
    operation_id="put_digest",
)
def put_digest(request: HttpRequest, workspace_id: uuid.UUID, body: DigestIn) -> dict[str, Any]:
    """Subscribe, or change the subscription. An e-mail needs an address of the account and a mail server."""
    member = get_membership(request, workspace_id)
    if body.channel == "email" and not (_get_address(request) and settings.EMAIL_HOST):
        raise InvalidInput(fields={"channel": _("账号没有邮箱地址，或站点没有配置邮件，请选择网页。")})
    values = {"every": body.every, "channel": body.channel, "locale": get_current_locale()}
    Digest.objects.update_or_create(member=member, defaults=values)
    return _serialize(member, request)


@router.delete(
    "/workspaces/{workspace_id}/digest",
    response={204: None},
    summary="End the digest",
    operation_id="delete_digest",
)
def delete_digest(request: HttpRequest, workspace_id: uuid.UUID) -> Status[None]:
    """End the subscription; its digests go, too."""
    Digest.objects.filter(member=get_membership(request, workspace_id)).delete()
    return Status(204, None)


@router.post(
    "/digests/{token}/off",
    auth=None,
    response={204: None},
    summary="End a digest from its e-mail",
    operation_id="end_digest",
)
def turn_off(request: HttpRequest, token: str) -> Status[None]:
    """End the subscription that the e-mail belongs to; one click in the mail program (RFC 8058), no sign-in."""
    if not end_digest(token):
        raise NotFound
    return Status(204, None)


def _serialize(member: Member, request: HttpRequest) -> dict[str, Any]:
    digest = Digest.objects.filter(member=member).first()
    issues = DigestIssue.objects.filter(digest__member=member).exclude(state=DigestIssue.State.EMPTY)
    return {
        "every": digest.every if digest else None,
        "channel": digest.channel if digest else None,
        "email": _get_address(request),
        "issues": list(issues[:MAX_LISTED_ISSUES]),
    }


def _get_address(request: HttpRequest) -> str:
    return User.objects.values_list("email", flat=True).get(pk=get_request_user(request).pk)
