"""The overview in words: for its printed page, and for digests."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import PlatformSurface
from diagnosis.models import FindingKind, Platform, Workspace
from diagnosis.reports.export import ai_labels
from diagnosis.reports.formatting import format_percent
from diagnosis.reports.print_context import RateBar, build_rate_bar, describe_break
from diagnosis.workspaces.overview import build_overview


def describe_headline(headline: Mapping[str, Any]) -> Iterator[str]:
    """Yield what changed since the previous run, a line for each brand."""
    for change in headline["changes"]:
        yield _("%(name)s：%(before)s → %(after)s（差 %(low)s 至 %(high)s）") % {
            "name": change["name"],
            **{name: _format_share(change[name]) for name in ("before", "after", "low", "high")},
        }
    if not headline["changes"]:
        yield {
            "empty": _("还没有诊断。"),
            "first": _("第一次诊断已完成，趋势从第二次开始。"),
            "not_comparable": _("与上一次不能比较。"),
        }.get(headline["kind"], _("没有显著变化。"))


def _format_share(share: float) -> str:
    return f"{share * 100:.0f} %"


def build_overview_print_context(workspace: Workspace) -> dict[str, Any]:
    """Return the template context of the printed overview of the latest run's panel."""
    overview = build_overview(workspace)
    names = dict(Platform.objects.values_list("pk", "name"))
    return {
        "workspace": workspace,
        "overview": overview,
        "printed_at": timezone.now(),
        "figures_label": ai_labels.get_figures_label(),
        "demo_label": ai_labels.get_demo_label(workspace.is_demo),
        "surface_label": PlatformSurface(overview["surface"]).label if overview["surface"] else "",
        "headline": list(describe_headline(overview["headline"])),
        "breaks": [describe_break(item) for item in overview["headline"]["breaks"]],
        "tiles": [_build_tile(tile) for tile in overview["tiles"]],
        "brands": [brand["name"] for brand in overview["trend"][-1]["brands"]] if overview["trend"] else [],
        "trend": _build_trend(overview["trend"]),
        "platforms": [row | {"bar": _build_bar(row, "rate")} for row in overview["platforms"]],
        "actions": [_describe_action(action, names) for action in overview["actions"]],
    }


def _build_bar(figure: Mapping[str, Any], name: str) -> RateBar | None:
    return build_rate_bar({"rate": figure[name], "rate_low": figure["low"], "rate_high": figure["high"]}, "rate")


def _build_tile(tile: Mapping[str, Any]) -> dict[str, Any]:
    label = {
        "mention_rate": _("提及率"),
        "first_mention_rate": _("首位提及率"),
        "share_of_voice": _("声量份额"),
        "recommendation_rate": _("推荐率"),
        "own_site_rate": _("引用官网的回答"),
    }[tile["name"]]
    changed = {"up": _("显著上升"), "down": _("显著下降"), "none": _("无显著变化")}.get(tile["changed"], "")
    return dict(tile) | {
        "label": label,
        "bar": _build_bar(tile, "value"),
        "before": "" if tile["previous"] is None else format_percent(tile["previous"]),
        "change": changed,
    }


def _build_trend(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs, newest first, with a bar for each brand of the latest run; None where it was not counted."""
    shown = [brand["name"] for brand in points[-1]["brands"]] if points else []
    return [
        {
            "created_at": point["created_at"],
            "bars": [
                next((_build_bar(brand, "rate") for brand in point["brands"] if brand["name"] == name), None)
                for name in shown
            ],
            "breaks": [describe_break(item) for item in point["breaks"]],
        }
        for point in reversed(points)
    ]


def _describe_action(action: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    details = action["details"]
    platform = names.get(details.get("platform", ""), details.get("platform", ""))
    text = {
        FindingKind.DROP: lambda: (
            _("提及率从 %(before)s 降到 %(after)s")
            % {"before": format_percent(details["before"]), "after": format_percent(details["after"])}
        ),
        FindingKind.LOST_QUESTION: lambda: (
            _("两次都输给 %(rival)s：%(question)s") % {"rival": details["rival"], "question": details["text"]}
        ),
        FindingKind.WEAK_PLATFORM: lambda: _("在 %(platform)s 上明显比其他平台弱") % {"platform": platform},
        FindingKind.SOURCE_GAP: lambda: _("只提竞品的回答引用了 %(host)s") % {"host": details["host"]},
        FindingKind.BLAME: lambda: _("%(platform)s 的回答批评了它") % {"platform": platform},
        FindingKind.NEW_RIVAL: lambda: _("出现了新的竞品 %(name)s") % {"name": details["name"]},
        FindingKind.SKIPPED_RUN: lambda: _("一次定期诊断被跳过"),
    }[FindingKind(action["kind"])]()
    return {"text": text, "count": action["count"], "since": action["created_at"]}
