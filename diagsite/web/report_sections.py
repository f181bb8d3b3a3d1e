"""The sections of a report, in order, with their headings and explanations.

One list for the web page and the mini-program: `tools/generate_labels.py` writes it to
`miniprogram/pages/report-v2/reportLabels.js`.
"""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ReportSection(NamedTuple):
    """A section: its id on both pages, its heading, and the sentence below; empty where the figures need none."""

    id: str
    title: Promise
    hint: Promise | str = ""

    @property
    def template(self) -> str:
        """Return the template of the web page."""
        return f"site/report/{self.id.replace('-', '_')}.html"


REPORT_SECTIONS = (
    ReportSection(
        "surfaces", _("各种测量方式下的提及率"), _("模型记忆、联网搜索和应用内搜索是不同的测量，数字从不合并。")
    ),
    ReportSection("platforms", _("本品牌在各平台的提及率")),
    ReportSection("figures", _("各品牌的可见度")),
    ReportSection("corrections", _("您的更正")),
    ReportSection(
        "other-brands", _("回答里还提到这些品牌"), _("点一下加为竞品，从已有的回答里算出它的数字，不再调用平台。")
    ),
    ReportSection(
        "heatmap", _("每个问题，每个平台"), _("格子里是提到它的回答数 / 有效回答数，颜色越深提到得越多。点一下看原文。")
    ),
    ReportSection("lost-questions", _("竞品领先的问题")),
    ReportSection(
        "recognition",
        _("认知：写了品牌名的问题"),
        _("问题里写了谁，回答几乎总会提到谁，所以这些回答不算进上面的数字。它们说明平台认不认识这个品牌、怎么说它。"),
    ),
    ReportSection("quotes", _("回答怎么说"), _("逐字摘自回答；态度由一个 AI 平台判断，仅供参考。")),
    ReportSection(
        "sources",
        _("来源"),
        _(
            "平台搜索后给出的网页。“引用”是平台标明回答用了它，“列出”是它在搜索结果里、未必用到；"
            "一个网站在一条回答里只算一次。"
        ),
    ),
    ReportSection("domains", _("回答里提到的网址"), _("网址写在回答的文字里，可能并不存在，也不等于回答引用了它。")),
    ReportSection("failures", _("没有得到的回答"), _("失败和被平台过滤的回答不计入任何比例。")),
    ReportSection("method", _("测量方法")),
    ReportSection("trend", _("趋势")),
)
