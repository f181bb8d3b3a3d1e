"""Publishing of error messages: drafts, rollback, and the default messages of a new release."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction

from errors.codes import ErrorCode
from errors.messages.default_texts import DEFAULT_TEXTS
from errors.messages.diff import FIELD_LABELS
from errors.messages.message import ErrorMessage, build_default_message, build_message_or_fallback, validate_message
from errors.models import CopyOverride, CopyRevision, ErrorCopy


def publish_draft(copy_id: int, *, author: AbstractBaseUser | None, reason: str) -> CopyRevision:
    """Publish the draft. Raises ValidationError when it is invalid or equal to the published message."""
    with transaction.atomic():
        copy = _get_locked_copy(copy_id)
        _validate_draft(copy)
        if not copy.has_draft:
            raise ValidationError("没有可发布的修改。")
        return _create_revision(copy, author, reason)


def republish_revision(copy_id: int, number: int, *, author: AbstractBaseUser | None, reason: str) -> CopyRevision:
    """Publish an older revision again, as a new revision; the draft is replaced too.

    Raises ValidationError when it is invalid by today's rules, which may be stricter than those of its time.
    """
    with transaction.atomic():
        copy = _get_locked_copy(copy_id)
        default = build_default_message(ErrorCode(copy.code), copy.locale)
        copy.draft = build_message_or_fallback(copy.revisions.get(number=number).content, default)
        _validate_draft(copy)
        return _create_revision(copy, author, reason)


def _validate_draft(copy: ErrorCopy) -> None:
    """Raise ValidationError when the draft is invalid, alone or with the texts of an override that has not ended."""
    code = ErrorCode(copy.code)
    if errors := validate_message(code, copy.locale, copy.draft):
        raise ValidationError([f"{FIELD_LABELS[name]}：{error}" for name, error in errors.items()])
    for override in CopyOverride.objects.unexpired().filter(code=code, locale=copy.locale):
        if errors := validate_message(code, copy.locale, override.apply_to(copy.draft)):
            texts = "；".join(f"{FIELD_LABELS[name]}：{error}" for name, error in errors.items())
            raise ValidationError(f"临时文案“{override}”与它不相容（{texts}），请先修改或结束临时文案。")


def accept_upstream(copy_id: int) -> ErrorCopy:
    """Replace the draft by the default message of the release."""
    with transaction.atomic():
        copy = _get_locked_copy(copy_id)
        default = build_default_message(ErrorCode(copy.code), copy.locale)
        copy.draft = build_message_or_fallback(copy.upstream, default)
        copy.has_upstream_changes = False
        copy.save()
        return copy


def reject_upstream(copy_id: int) -> ErrorCopy:
    """Keep the draft, and clear the mark that the default message of the release has changed."""
    with transaction.atomic():
        copy = _get_locked_copy(copy_id)
        copy.has_upstream_changes = False
        copy.save(update_fields=["has_upstream_changes"])
        return copy


def _get_locked_copy(copy_id: int) -> ErrorCopy:
    return ErrorCopy.objects.select_for_update(of=("self",)).select_related("published").get(pk=copy_id)


def _create_revision(copy: ErrorCopy, author: AbstractBaseUser | None, reason: str) -> CopyRevision:
    last = copy.revisions.order_by("-number").values_list("number", flat=True).first() or 0
    copy.published = CopyRevision.objects.create(
        copy=copy,
        number=last + 1,
        content=copy.draft.content(),
        author_id=author.pk if author else None,
        author_name=author.get_username()[:150] if author else "",
        reason=reason[:200],
    )
    copy.save()
    return copy.published


def seed_error_messages() -> dict[str, int]:
    """Store the default messages of this release; return the counts "added", "updated" and "upstream_changed".

    Rows that operators have not edited are updated and published. Edited rows stay, and are marked when the default
    message has changed. Idempotent.
    """
    counts = {"added": 0, "updated": 0, "upstream_changed": 0}
    with transaction.atomic():
        rows = {
            (row.code, row.locale): row
            for row in ErrorCopy.objects.select_for_update(of=("self",)).select_related("published")
        }
        for locale in DEFAULT_TEXTS:
            for code in ErrorCode:
                outcome = _seed_row(rows.get((code.value, locale)), code, locale, build_default_message(code, locale))
                if outcome:
                    counts[outcome] += 1
    return counts


def _seed_row(row: ErrorCopy | None, code: ErrorCode, locale: str, message: ErrorMessage) -> str:
    content: dict[str, Any] = message.content()
    if row is None:
        row = ErrorCopy(code=code.value, locale=locale, upstream=content)
        row.draft = message
        row.save()
        _create_revision(row, None, "随版本提供")
        return "added"
    if row.upstream == content:
        return ""
    is_unedited = row.draft.content() == row.upstream and not row.has_draft
    row.upstream = content
    if is_unedited:
        row.draft = message
        _create_revision(row, None, "随版本更新")
        return "updated"
    row.has_upstream_changes = row.draft.content() != content
    row.save()
    return "upstream_changed" if row.has_upstream_changes else ""
