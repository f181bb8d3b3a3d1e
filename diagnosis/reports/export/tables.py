"""The tables of an export. Column names are fixed, for programs; their titles are translated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from diagnosis.analysis.columns import (
    build_brand_spellings,
    get_mentioned_brands,
    get_uncertain_brands,
    match_extracted_brands,
)
from diagnosis.analysis.extraction import read_extraction
from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.models import Answer
from diagnosis.reports.export import ai_labels
from diagnosis.reports.export.content import ExportContent
from diagnosis.reports.formatting import list_surfaces
from diagnosis.reports.service import get_site_classifier

CellValue = str | int | float | bool | datetime | list[str] | None
"""None is unknown or not available: an empty cell, never 0."""


@dataclass(frozen=True)
class ExportTable:
    """Columns as {name: title}, and the rows with a cell for each column."""

    columns: dict[str, Any]
    rows: Callable[[ExportContent], Iterator[list[CellValue]]]


def iter_answer_rows(content: ExportContent) -> Iterator[list[CellValue]]:
    report = content.report
    questions = {row["id"]: (number, row["text"]) for number, row in enumerate(report["questions"], 1)}
    platforms = {platform["id"]: platform["name"] for platform in report["platforms"]}
    ai_label = ai_labels.get_ai_label()
    for answer in content.iter_answers():
        number, question = questions.get(str(answer.question_id), (None, None))
        yield [
            number,
            question,
            answer.platform_id,
            platforms.get(answer.platform_id, answer.platform_id),
            answer.model or None,
            answer.repeat,
            answer.state,
            answer.error_code or None,
            answer.answered_at,
            answer.milliseconds,
            answer.is_carried_over,
            answer.is_truncated,
            answer.is_without_requested_search,
            get_mentioned_brands(answer.mentions),
            get_uncertain_brands(answer.mentions),
            answer.others,
            answer.discovered,
            answer.domains,
            answer.text or None,
            ai_label if answer.state == AnswerState.VALID else None,
            ai_labels.get_demo_label(answer.is_demo) or None,
        ]


ANSWERS_TABLE = ExportTable(
    {
        "question_number": _("问题序号"),
        "question": _("问题"),
        "platform": _("平台标识"),
        "platform_name": _("平台"),
        "model": _("模型"),
        "repeat": _("第几次"),
        "state": _("状态"),
        "code": _("错误代码"),
        "answered_at": _("时间"),
        "milliseconds": _("耗时（毫秒）"),
        "carried_over": _("沿用自上次"),
        "truncated": _("被截断，不计入比例"),
        "without_search": _("没有联网，不计入比例"),
        "mentions": _("提到的品牌（按先后）"),
        "uncertain": _("可能提到的品牌"),
        "other_brands": _("提到的其他品牌"),
        "guessed_brands": _("推测的其他品牌"),
        "domains": _("提到的网址"),
        "text": _("回答"),
        "ai_label": _("AI 内容标识"),
        "demo_label": _("演示标识"),
    },
    iter_answer_rows,
)

METRIC_COLUMNS = {
    "planned": _("计划回答数"),
    "valid": _("有效回答数"),
    "mentions": _("提到它的回答"),
    "mention_rate": _("提及率"),
    "mention_rate_low": _("提及率下限"),
    "mention_rate_high": _("提及率上限"),
    "first_mentions": _("最先提到它的回答"),
    "first_mention_rate": _("首位提及率"),
    "first_mention_rate_low": _("首位提及率下限"),
    "first_mention_rate_high": _("首位提及率上限"),
    "share_of_voice": _("声量份额"),
    "share_of_voice_low": _("声量份额下限"),
    "share_of_voice_high": _("声量份额上限"),
    "mean_position": _("平均位置"),
    "mean_reciprocal_rank": _("平均倒数排名"),
    "judged": _("评估过的回答"),
    "recommendations": _("推荐它的回答"),
    "recommendation_rate": _("推荐率"),
    "recommendation_rate_low": _("推荐率下限"),
    "recommendation_rate_high": _("推荐率上限"),
    "advised_against": _("劝人不选它的回答"),
    "uncertain": _("可能提到它的回答"),
    "scope": _("提及率区间适用于"),
    "voice_scope": _("声量份额区间适用于"),
}


def iter_figure_rows(content: ExportContent) -> Iterator[list[CellValue]]:
    report = content.report
    label_cells = [ai_labels.get_figures_label(), ai_labels.get_demo_label(report["demo"]) or None]
    platforms = {platform["id"]: platform["name"] for platform in report["platforms"]}
    questions = {question["id"]: question["text"] for question in report["questions"]}
    recognition_brands = {brand["name"]: brand for brand in (report["recognition"] or {"brands": []})["brands"]}
    for brand in report["brands"]:
        parts = [("all", None, None, brand["figures"])]
        # In the order of the report: jsonb does not keep the order of keys.
        parts += [("platform", pk, name, brand["by_platform"].get(pk)) for pk, name in platforms.items()]
        parts += [("question", pk, text, brand["by_question"].get(pk)) for pk, text in questions.items()]
        if brand["name"] in recognition_brands:
            parts.append(("recognition", None, None, recognition_brands[brand["name"]]["figures"]))
        for scope, pk, name, metrics in parts:
            if metrics:
                yield [brand["name"], brand["is_own"], scope, pk, name, *map(metrics.get, METRIC_COLUMNS), *label_cells]


FIGURES_TABLE = ExportTable(
    {
        "brand": _("品牌"),
        "is_own": _("是否本品牌"),
        "of": _("范围"),
        "of_id": _("范围标识"),
        "of_name": _("范围名称"),
        **METRIC_COLUMNS,
        "ai_label": _("AI 内容标识"),
        "demo_label": _("演示标识"),
    },
    iter_figure_rows,
)


def _describe_answer(content: ExportContent) -> Callable[[Answer], list[CellValue]]:
    """Return what gives the cells that tell which answer a row belongs to."""
    questions = {row["id"]: (number, row["text"]) for number, row in enumerate(content.report["questions"], 1)}
    platforms = {platform["id"]: platform["name"] for platform in content.report["platforms"]}

    def describe(answer: Answer) -> list[CellValue]:
        number, question = questions.get(str(answer.question_id), (None, None))
        name = platforms.get(answer.platform_id, answer.platform_id)
        counted = answer.state == AnswerState.VALID and not answer.is_truncated
        is_counted = counted and not answer.is_without_requested_search
        return [number, question, answer.platform_id, name, answer.surface, answer.repeat, is_counted]

    return describe


_ANSWER_COLUMNS = {
    "question_number": _("问题序号"),
    "question": _("问题"),
    "platform": _("平台标识"),
    "platform_name": _("平台"),
    "surface": _("测量方式"),
    "repeat": _("第几次"),
    "counted": _("计入比例"),
}


def iter_judgement_rows(content: ExportContent) -> Iterator[list[CellValue]]:
    describe, spellings = _describe_answer(content), build_brand_spellings(content.load_brands())
    ai_label = ai_labels.get_ai_label()
    for answer in content.iter_answers():
        extracted = read_extraction(answer.extraction) or []
        by_brand = match_extracted_brands(extracted, spellings, answer.mentions)
        names = {id(item): brand for brand, item in by_brand.items()}
        for item in extracted:
            yield [
                *describe(answer),
                names.get(id(item), item.name),
                id(item) in names,
                item.stance,
                item.sentiment,
                answer.text[slice(*item.quote)] or None,
                *([answer.text[slice(*span)] for span in spans] for spans in (item.praise, item.blame)),
                ai_label,
                ai_labels.get_demo_label(answer.is_demo) or None,
            ]


JUDGEMENTS_TABLE = ExportTable(
    {
        **_ANSWER_COLUMNS,
        "brand": _("品牌"),
        "compared": _("属于这次诊断"),
        "stance": _("推荐与否"),
        "sentiment": _("情感"),
        "quote": _("原文"),
        "praise": _("被称赞"),
        "blame": _("被批评"),
        "ai_label": _("AI 内容标识"),
        "demo_label": _("演示标识"),
    },
    iter_judgement_rows,
)


def iter_source_rows(content: ExportContent) -> Iterator[list[CellValue]]:
    describe = _describe_answer(content)
    classifier = get_site_classifier(content.load_brands())
    for source in content.iter_sources():
        brand = classifier.find_brand(source.host)
        yield [
            *describe(source.answer),
            source.position,
            source.label or None,
            source.host or None,
            classifier.classify(source.host),
            brand.name if brand else None,
            source.title or None,
            source.page or None,
            source.url or None,
            source.origin,
            source.cited,
            [f"{start}-{end}" for start, end in source.spans],
            source.published or None,
        ]


SOURCES_TABLE = ExportTable(
    {
        **_ANSWER_COLUMNS,
        "position": _("顺序"),
        "label": _("平台编号"),
        "host": _("网站"),
        "kind": _("网站类别"),
        "brand": _("网站所属品牌"),
        "source_title": _("标题"),
        "page": _("网页"),
        "url": _("地址"),
        "origin": _("出处"),
        "cited": _("被引用"),
        "spans": _("引用处（字符）"),
        "published": _("发布时间"),
    },
    iter_source_rows,
)


def iter_query_rows(content: ExportContent) -> Iterator[list[CellValue]]:
    describe = _describe_answer(content)
    for query in content.iter_queries():
        yield [*describe(query.answer), query.position, query.text]


QUERIES_TABLE = ExportTable(
    {**_ANSWER_COLUMNS, "position": _("顺序"), "query": _("搜索词")},
    iter_query_rows,
)


def iter_failure_rows(content: ExportContent) -> Iterator[list[CellValue]]:
    platforms = {platform["id"]: platform["name"] for platform in content.report["platforms"]}
    for failure in content.report["failures"]:
        name = platforms.get(failure["platform"], failure["platform"])
        yield [failure["platform"], name, failure["code"], failure["count"], failure["title"], failure["suggestion"]]


FAILURES_TABLE = ExportTable(
    {
        "platform": _("平台标识"),
        "platform_name": _("平台"),
        "code": _("错误代码"),
        "count": _("条数"),
        "title": _("原因"),
        "suggestion": _("建议"),
    },
    iter_failure_rows,
)


def iter_note_rows(content: ExportContent) -> Iterator[list[CellValue]]:
    report, diagnosis = content.report, content.report["diagnosis"]
    yield [
        str(_("AI 内容标识")),
        f"{ai_labels.get_ai_label()}（{ai_labels.serialize_aigc(ai_labels.build_aigc_metadata(report))}）",
    ]
    if report["demo"]:
        yield [str(_("演示标识")), ai_labels.get_demo_label(True)]
    yield [str(_("品牌")), diagnosis["brand"]]
    yield [str(_("诊断编号")), diagnosis["id"]]
    yield [str(_("状态")), str(DiagnosisStatus(diagnosis["status"]).label)]
    yield [str(_("结论")), report["verdict"]["text"]]
    yield [str(_("时区")), timezone.get_current_timezone_name()]
    yield [str(_("创建时间")), parse_datetime(diagnosis["created_at"])]
    yield [str(_("结束时间")), parse_datetime(diagnosis["finished_at"] or "")]
    yield [str(_("导出时间")), content.exported_at]
    for name, title in COUNT_COLUMNS.items():
        yield [str(title), report[name]]
    yield [str(_("模型")), report["method"]["models"]]
    yield [str(_("区间")), str(_("提及率、首位提及率、推荐率：95% 威尔逊区间；声量份额：按问题重抽的 95% 自助区间"))]
    yield [str(_("测量方式")), [f"{name}：{label}" for name, label in list_surfaces(report)]]


COUNT_COLUMNS = {
    "planned": _("计划回答数"),
    "valid": _("有效回答数"),
    "failed": _("失败"),
    "filtered": _("被过滤"),
    "truncated": _("被截断，不计入比例"),
    "without_search": _("没有按要求联网，不计入比例"),
    "repeated": _("与另一次逐字相同"),
}
NOTES_TABLE = ExportTable({"what": _("项目"), "value": _("内容")}, iter_note_rows)
