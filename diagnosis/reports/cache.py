"""Cached reports: response bodies with their ETags. A cache hit in the event loop needs no thread."""

import hashlib
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, TypedDict

import orjson
from django.contrib.auth.base_user import AbstractBaseUser
from ninja.responses import NinjaJSONEncoder

from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import PLATFORMS_CACHE_TAG, Diagnosis
from diagnosis.reports.serializers import AnswerTextReader, serialize_report
from errors.catalogue import snapshot
from errors.exceptions import NotFound
from errors.problems import get_current_locale
from performance.cache import get_cache

_report_cache = get_cache(ttl=300, namespace="reports")
_encoder = NinjaJSONEncoder()  # the same formats of times and numbers as in the rest of the API


class CachedReport(TypedDict):
    """owner, workspace: ids, for the caller to check; body: JSON."""

    owner: int
    workspace: str | None
    body: str
    etag: str


def get_cached_report(
    diagnosis_id: uuid.UUID,
    locale: str,
    read_texts: AnswerTextReader | None = None,
    check: Callable[[], object] | None = None,
) -> CachedReport:
    """Return the report of a diagnosis. Raises Diagnosis.DoesNotExist, or DiagnosisRunning until it has ended.

    read_texts: see `serialize_report`. check: see `Cache.load`.
    """
    load = partial(_load_report, diagnosis_id, read_texts)
    report: CachedReport = _report_cache.load(
        _build_report_key(diagnosis_id, locale), load, tags=_get_report_tags(diagnosis_id), check=check
    )
    return report


async def aget_cached_report(
    diagnosis_id: uuid.UUID, locale: str, check: Callable[[], object] | None = None
) -> CachedReport:
    """Return the same as `get_cached_report`, for callers in the event loop. check: see `Cache.load`."""
    load = partial(_load_report, diagnosis_id, None)
    report: CachedReport = await _report_cache.aload_blocking(
        _build_report_key(diagnosis_id, locale), load, tags=_get_report_tags(diagnosis_id), check=check
    )
    return report


def get_visible_report(
    user: AbstractBaseUser, diagnosis_id: str | uuid.UUID, read_texts: AnswerTextReader | None = None
) -> CachedReport:
    """Return the report in the request's language. Raises NotFound, also for users who may not see the diagnosis.

    Raises DiagnosisRunning until the diagnosis has ended. read_texts: see `serialize_report`.
    """

    def check() -> None:
        if not Diagnosis.objects.visible_to(user).filter(pk=diagnosis_id).exists():
            raise NotFound

    try:
        report = get_cached_report(uuid.UUID(str(diagnosis_id)), get_current_locale(), read_texts, check)
    except (ValueError, Diagnosis.DoesNotExist) as error:
        raise NotFound from error
    check()
    return report


def _build_report_key(diagnosis_id: uuid.UUID, locale: str) -> str:
    # A report contains messages; after an edit of these their snapshot has another version.
    return f"{diagnosis_id}:{locale}:{snapshot.get_snapshot_version()}"


def _get_report_tags(diagnosis_id: uuid.UUID) -> list[str]:
    return [get_report_cache_tag(diagnosis_id), PLATFORMS_CACHE_TAG]


def get_report_cache_tag(diagnosis_id: uuid.UUID) -> str:
    """Return the tag to invalidate when the report changes."""
    return f"diagnosis:{diagnosis_id}"


def _load_report(diagnosis_id: uuid.UUID, read_texts: AnswerTextReader | None) -> CachedReport:
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    if not diagnosis.is_final:
        raise DiagnosisRunning
    body = serialize_json(serialize_report(diagnosis, read_texts))
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    workspace = str(diagnosis.workspace_id) if diagnosis.workspace_id else None
    return {"owner": diagnosis.owner_id, "workspace": workspace, "body": body, "etag": etag}


def find_cached_reports(diagnosis_id: uuid.UUID) -> list[str]:
    """Return the keys of a diagnosis' reports that are still stored, also of outdated ones."""
    return _report_cache.find_keys(str(diagnosis_id))


def delete_cached_reports(diagnosis_id: uuid.UUID) -> None:
    """Delete all stored reports of a diagnosis; after the deletion of its rows, or they could be stored again."""
    for key in find_cached_reports(diagnosis_id):
        _report_cache.delete(key)


def serialize_json(body: Any) -> str:
    """Return the body as JSON, formatted as in the rest of the API."""
    return orjson.dumps(body, default=_encoder.default, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
