"""Cached JSON bodies of frequent API requests, with their ETags. A cache hit runs in the event loop."""

import hashlib
import uuid
from functools import partial
from typing import Any, TypedDict

import orjson
from ninja.responses import NinjaJSONEncoder

from diagnosis.api import serializers
from diagnosis.api.serializers import AnswerTextReader
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import PLATFORMS_CACHE_TAG, Diagnosis, Platform
from diagnosis.statistics import compute_statistics
from errors.messages import catalogue
from performance.cache import get_cache

_report_cache = get_cache(ttl=300, namespace="reports")
# Pauses end by the clock, so the end of a pause shows up with a delay of at most this TTL.
_platform_cache = get_cache(ttl=5, namespace="platforms")
_statistics_cache = get_cache(ttl=60, namespace="statistics")
_encoder = NinjaJSONEncoder()  # the same format of times and numbers as in the rest of the API


class CachedReport(TypedDict):
    """owner: key of the owning user, to be checked by the caller; body: JSON."""

    owner: int
    body: str
    etag: str


def get_cached_report(diagnosis_id: uuid.UUID, locale: str, read_texts: AnswerTextReader | None = None) -> CachedReport:
    """Return the report of a diagnosis that has ended.

    `read_texts`: see `serialize_report`. Raises Diagnosis.DoesNotExist, or DiagnosisRunning before its end.
    """
    load = partial(_load_report, diagnosis_id, read_texts)
    report: CachedReport = _report_cache.load(
        _build_report_key(diagnosis_id, locale), load, tags=_get_report_tags(diagnosis_id)
    )
    return report


async def aget_cached_report(diagnosis_id: uuid.UUID, locale: str) -> CachedReport:
    """Return the same as `get_cached_report`, for callers in the event loop."""
    load = partial(_load_report, diagnosis_id, None)
    report: CachedReport = await _report_cache.aload_blocking(
        _build_report_key(diagnosis_id, locale), load, tags=_get_report_tags(diagnosis_id)
    )
    return report


def _build_report_key(diagnosis_id: uuid.UUID, locale: str) -> str:
    # The report contains error texts; an edit of the texts changes the version of the snapshot.
    return f"{diagnosis_id}:{locale}:{catalogue.get_snapshot_version()}"


def _get_report_tags(diagnosis_id: uuid.UUID) -> list[str]:
    return [get_report_cache_tag(diagnosis_id), PLATFORMS_CACHE_TAG]


def get_report_cache_tag(diagnosis_id: uuid.UUID) -> str:
    """Return the tag to invalidate when a report changes."""
    return f"diagnosis:{diagnosis_id}"


def _load_report(diagnosis_id: uuid.UUID, read_texts: AnswerTextReader | None) -> CachedReport:
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    if not diagnosis.is_final:
        raise DiagnosisRunning
    body = _serialize_json(serializers.serialize_report(diagnosis, read_texts))
    return {"owner": diagnosis.owner_id, "body": body, "etag": f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'}


async def get_platforms_json() -> str:
    """Return the enabled platforms with health, price and typical duration, as JSON."""

    def load() -> str:
        platforms = Platform.objects.filter(is_enabled=True)
        return _serialize_json([serializers.serialize_platform(platform) for platform in platforms])

    body: str = await _platform_cache.aload_blocking("all", load, tags=[PLATFORMS_CACHE_TAG])
    return body


async def get_statistics_json() -> str:
    """Return the counts over all diagnoses, at most a minute old, as JSON."""
    body: str = await _statistics_cache.aload_blocking("all", lambda: _serialize_json(compute_statistics()))
    return body


def _serialize_json(body: Any) -> str:
    return orjson.dumps(body, default=_encoder.default, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
