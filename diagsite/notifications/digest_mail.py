"""Send digests by e-mail, at most once each: a digest whose sender died while it handed it over is not sent again."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from diagnosis.models import Digest, DigestIssue
from diagnosis.workspaces.overview_texts import describe_headline
from diagsite.models import User
from monitoring.delivery.channels.email import classify_smtp_error
from monitoring.exceptions import ChannelTimedOut
from performance.client_metrics import measure_call

log = structlog.get_logger(__name__)

MAX_DIGEST_ATTEMPTS = 5
SENDING_TIMEOUT = timedelta(minutes=10)
_SALT = "diagsite.digest"


def send_due_digests() -> int:
    """Send the digests that are due, one after another; return the number of attempts."""
    now = timezone.now()
    abandoned = DigestIssue.objects.filter(state=DigestIssue.State.SENDING, due_at__lt=now - SENDING_TIMEOUT)
    abandoned.update(state=DigestIssue.State.GIVEN_UP, reason="unknown")
    attempted = 0
    while issue := _claim_next():
        _send(issue)
        attempted += 1
    return attempted


def _claim_next() -> DigestIssue | None:
    with transaction.atomic():
        due = DigestIssue.objects.filter(state=DigestIssue.State.WAITING, due_at__lte=timezone.now())
        issue = due.order_by("due_at").select_for_update(skip_locked=True).first()
        if issue:
            issue.state, issue.due_at = DigestIssue.State.SENDING, timezone.now()
            issue.attempts += 1
            issue.save(update_fields=["state", "due_at", "attempts"])
        return issue


def _send(issue: DigestIssue) -> None:
    digest = Digest.objects.select_related("member__workspace").get(pk=issue.digest_id)
    user = User.objects.get(pk=digest.member.user_id)
    if not (settings.EMAIL_HOST and user.email and user.is_active):
        issue.state, issue.reason = DigestIssue.State.GIVEN_UP, "no_address"
    else:
        try:
            with translation.override(digest.locale), measure_call("digest.email"):
                _build_message(issue, digest, user.email).send()
            issue.state = DigestIssue.State.SENT
        except Exception as error:  # noqa: BLE001 - classified below
            _postpone_or_give_up(issue, error)
    issue.save(update_fields=["state", "due_at", "reason"])
    log.info("digest_tried", digest=str(digest.pk), state=issue.state, attempts=issue.attempts, reason=issue.reason)


def _postpone_or_give_up(issue: DigestIssue, error: Exception) -> None:
    failure = classify_smtp_error(error)
    issue.reason = type(failure).__name__[:64]
    may_have_arrived = isinstance(failure, ChannelTimedOut)
    if failure.is_permanent or may_have_arrived or issue.attempts >= MAX_DIGEST_ATTEMPTS:
        issue.state = DigestIssue.State.GIVEN_UP
    else:
        issue.state = DigestIssue.State.WAITING
        issue.due_at = timezone.now() + timedelta(minutes=2**issue.attempts)


def _build_message(issue: DigestIssue, digest: Digest, address: str) -> EmailMessage:
    workspace = digest.member.workspace
    name = workspace.name + (_("（演示）") if workspace.is_demo else "")
    headers = {
        "Message-ID": f"<digest-{issue.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2].strip('<> ')}>",
        "Auto-Submitted": "auto-generated",
    }
    if settings.SITE_URL:
        headers["List-Unsubscribe"] = f"<{settings.SITE_URL}/api/digests/{build_off_token(digest)}/off>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    lines = list(_iter_lines(issue.content or {}))
    if settings.SITE_URL:
        lines += ["", f"{settings.SITE_URL}/w/{workspace.pk}/"]
    return EmailMessage(
        subject=f"{name} · {lines[0]}",
        body="\n".join(lines),
        to=[address],
        headers=headers,
        connection=get_connection(timeout=settings.EMAIL_TIMEOUT),
    )


def _iter_lines(content: dict[str, Any]) -> Iterator[str]:
    overview = content.get("overview")
    if overview:
        yield from describe_headline(overview["headline"])
        for tile in overview["tiles"]:
            if tile["name"] == "mention_rate" and tile["value"] is not None:
                yield _("提及率 %(rate)s（%(k)s / %(n)s，95 %% 区间 %(low)s–%(high)s）") % {
                    "rate": _percent(tile["value"]),
                    "k": tile["k"],
                    "n": tile["n"],
                    "low": _percent(tile["low"]),
                    "high": _percent(tile["high"]),
                }
    if content.get("skipped"):
        yield _("有 %(count)s 次定期诊断被跳过。") % {"count": len(content["skipped"])}


def _percent(rate: float) -> str:
    return f"{rate * 100:.0f} %"


def build_off_token(digest: Digest) -> str:
    """Return a token that ends this subscription without sign-in."""
    return signing.dumps(str(digest.pk), salt=_SALT)


def end_digest(token: str) -> bool:
    """End the subscription of a token; returns whether there was one."""
    try:
        pk = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return False
    return bool(Digest.objects.filter(pk=pk).delete()[0])
