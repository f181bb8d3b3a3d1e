"""What the admin page of a diagnosis shows: where its parts are, its answers in numbers, and its report as tables."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.choices import AnswerState
from diagnosis.models import Diagnosis
from diagnosis.reports.formatting import format_percent
from diagnosis.reports.serializers import serialize_report


@dataclass(frozen=True)
class PageLink:
    """A link to a part of a diagnosis."""

    title: str
    url: str


@dataclass(frozen=True)
class AnswerCell:
    """The answers of a platform to a question; url: their list."""

    text: str
    url: str
    has_failures: bool


def build_links(request: HttpRequest, diagnosis: Diagnosis) -> list[PageLink]:
    """Return links to the parts of a diagnosis that the user may open."""
    has_perm, pk = request.user.has_perm, str(diagnosis.pk)
    links = []
    if has_perm("diagnosis.view_answer"):
        links.append(PageLink("全部回答", _build_list_url("diagnosis_answer", diagnosis__exact=pk)))
    page = reverse("pages:diagnosis", args=[pk])
    links.append(
        PageLink("报告页" if diagnosis.is_final else "进度页", f"{page}#report" if diagnosis.is_final else page)
    )
    is_job_kept = diagnosis.job_id is not None and ProcrastinateJob.objects.filter(pk=diagnosis.job_id).exists()
    if is_job_kept and has_perm("procrastinate.view_procrastinatejob"):
        url = reverse("admin:procrastinate_procrastinatejob_change", args=[diagnosis.job_id])
        links.append(PageLink("后台任务", url))
    if has_perm("errors.view_errorevent"):
        links.append(PageLink("错误记录", _build_list_url("errors_errorevent", q=pk)))
    if has_perm("diagnosis.view_paidcall"):
        links.append(PageLink("付费调用", _build_list_url("diagnosis_paidcall", diagnosis__exact=pk)))
    if has_perm("diagnosis.view_correction"):
        links.append(PageLink("更正", _build_list_url("diagnosis_correction", diagnosis__exact=pk)))
    if has_perm("diagsite.view_user"):
        links.append(PageLink("所有者", reverse("admin:diagsite_user_change", args=[diagnosis.owner_id])))
    if diagnosis.retry_of_id:
        links.append(PageLink("重试自", reverse("admin:diagnosis_diagnosis_change", args=[diagnosis.retry_of_id])))
    return links


def build_answer_table(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the numbers of answers: {platforms: names, rows: [{question, cells}]}, one cell per platform."""
    columns = ("question", "question__text", "question__position", "platform", "platform__name", "state")
    groups = diagnosis.answers.order_by("question__position", "platform__position", "platform").values(*columns)
    counts: dict[Any, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    questions: dict[Any, str] = {}
    platforms: dict[str, str] = {}
    for group in groups.annotate(count=Count("pk")):
        questions[group["question"]] = group["question__text"]
        platforms[group["platform"]] = group["platform__name"]
        counts[group["question"]][group["platform"]][group["state"]] = group["count"]
    rows = [
        {
            "question": text,
            "cells": [_build_cell(diagnosis, question, platform, counts[question][platform]) for platform in platforms],
        }
        for question, text in questions.items()
    ]
    return {"platforms": list(platforms.values()), "rows": rows}


def _build_cell(diagnosis: Diagnosis, question: Any, platform: str, counts: dict[str, int]) -> AnswerCell:
    if not counts:
        return AnswerCell("–", "", False)
    text = "，".join(f"{AnswerState(state).label} {counts[state]}" for state in AnswerState.values if counts.get(state))
    url = _build_list_url(
        "diagnosis_answer", diagnosis__exact=diagnosis.pk, question__exact=question, platform__id__exact=platform
    )
    return AnswerCell(text, url, bool(counts.get(AnswerState.FAILED)))


def build_report_tables(diagnosis: Diagnosis) -> dict[str, Any] | None:
    """Return the report as texts: verdict, brands, the own brand by platform, failures; None without answers."""
    if not diagnosis.is_final or not diagnosis.settled_count:
        return None
    report = serialize_report(diagnosis)
    names = {platform["id"]: platform["name"] for platform in report["platforms"]}
    own = next((brand for brand in report["brands"] if brand["is_own"]), None)
    return {
        "verdict": report["verdict"]["text"],
        "brands": [
            {"name": brand["name"], "is_own": brand["is_own"], **_describe_figures(brand["figures"])}
            for brand in report["brands"]
        ],
        "by_platform": [
            {"name": names.get(platform, platform), **_describe_figures(figures)}
            for platform, figures in (own or {"by_platform": {}})["by_platform"].items()
            if figures
        ],
        "failures": [
            {**failure, "name": names.get(failure["platform"], failure["platform"])} for failure in report["failures"]
        ],
    }


def _describe_figures(figures: dict[str, Any]) -> dict[str, str]:
    return {
        "mentions": f"{figures['mentions']} / {figures['valid']}",
        **{
            name: _describe_rate(figures, name)
            for name in ("mention_rate", "first_mention_rate", "share_of_voice", "recommendation_rate")
        },
    }


def _describe_rate(figures: dict[str, Any], name: str) -> str:
    value, low, high = (figures.get(f"{name}{ending}") for ending in ("", "_low", "_high"))
    if value is None or low is None or high is None:
        return format_percent(value)
    return f"{format_percent(value)}（{format_percent(low)}–{format_percent(high)}）"


def _build_list_url(model: str, **query: Any) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{urlencode(query)}"
