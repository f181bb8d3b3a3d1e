"""Check what users type before it is stored, within a time limit. docs/operations/moderation.md has the policy."""

import time
from collections.abc import Iterator, Mapping, Sequence

import structlog
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext as _

from diagnosis.choices import ClientKind
from diagnosis.clients import get_client_kind
from diagsite.moderation.exceptions import ContentCheckUnavailable, ContentRejected
from diagsite.moderation.results import Checker, CheckFailed, Verdict
from diagsite.moderation.tencent import build_tencent_checker
from diagsite.moderation.wechat import build_wechat_checker

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 2
MIN_REQUEST_SECONDS = 0.2  # with less time left no request is made

Field = tuple[str, str]
"""The name of a field and its text."""


def check_texts(user: AbstractBaseUser, texts: Mapping[str, str]) -> None:
    """Check {field: text} with the service that the settings name for the user's client, or with none.

    Raises ContentRejected with the fields, ContentCheckUnavailable without a verdict in MODERATION_TIMEOUT_SECONDS
    (unless MODERATION_UNAVAILABLE=accept), or Unauthorized if the user must sign in again to be checked.
    """
    checkers = _build_checkers(user)
    if not checkers or not texts:
        return
    session = _CheckSession(checkers, time.monotonic() + settings.MODERATION_TIMEOUT_SECONDS)
    try:
        rejected = [
            field
            for piece in split_into_pieces(texts, min(checker.max_characters for checker in checkers))
            for field in session.find_rejected(piece)
        ]
    except CheckFailed as error:
        log.error("moderation_unavailable", reason=error.reason, policy=settings.MODERATION_UNAVAILABLE)
        if settings.MODERATION_UNAVAILABLE == "refuse":
            raise ContentCheckUnavailable from None
        return
    if rejected:
        raise ContentRejected(fields=dict.fromkeys(rejected, _("这段文字没有通过内容安全检查，请修改。")))


def _build_checkers(user: AbstractBaseUser) -> list[Checker]:
    """Return the checker for the user's client, then the one that stands in for it."""
    client = get_client_kind(user)
    is_miniprogram = client is ClientKind.MINIPROGRAM
    service = settings.MODERATION_MINIPROGRAM if is_miniprogram else settings.MODERATION_WEB
    if service == "off":
        return []
    tencent = [build_tencent_checker()] if settings.TENCENT_SECRET_KEY else []
    openid: str = getattr(user, "wechat_openid", None) or ""
    return [build_wechat_checker(openid), *tencent] if service == "wechat" else tencent


def split_into_pieces(texts: Mapping[str, str], max_characters: int) -> Iterator[list[Field]]:
    """Group the texts so that each group, joined by line breaks, has at most `max_characters`; cut longer texts."""
    piece: list[Field] = []
    length = 0
    for field, text in texts.items():
        for start in range(0, len(text), max_characters):
            part = text[start : start + max_characters]
            if piece and length + 1 + len(part) > max_characters:
                yield piece
                piece, length = [], 0
            length += len(part) + bool(piece)
            piece.append((field, part))
    if piece:
        yield piece


class _CheckSession:
    """The checks of one request: until its deadline, with the first checker that answers."""

    def __init__(self, checkers: Sequence[Checker], deadline: float) -> None:
        self._checkers = list(checkers)
        self._deadline = deadline

    def find_rejected(self, piece: Sequence[Field]) -> list[str]:
        """Return the fields of a risky piece that are risky themselves; all of them if none is, or time is short."""
        if self._check(piece) is not Verdict.RISKY:
            return []
        if len(piece) > 1:
            middle = len(piece) // 2
            try:
                narrower = self.find_rejected(piece[:middle]) + self.find_rejected(piece[middle:])
            except CheckFailed:
                narrower = []
            if narrower:
                return narrower
        return [field for field, _text in piece]

    def _check(self, piece: Sequence[Field]) -> Verdict:
        text = "\n".join(text for _field, text in piece)
        while True:
            try:
                return self._check_with_retry(self._checkers[0], text)
            except CheckFailed as error:
                if len(self._checkers) == 1:
                    raise
                log.warning("moderation_fallback", checker=self._checkers[0].name, reason=error.reason)
                del self._checkers[0]

    def _check_with_retry(self, checker: Checker, text: str) -> Verdict:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            seconds = self._deadline - time.monotonic()
            if seconds < MIN_REQUEST_SECONDS:
                raise CheckFailed("timeout")
            # Half of the time for each attempt, and for each checker that is left.
            share = seconds / (MAX_ATTEMPTS + 1 - attempt) / len(self._checkers)
            try:
                return checker.check(text, share)
            except CheckFailed as error:
                if not error.is_retryable or attempt == MAX_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")
