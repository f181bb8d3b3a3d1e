"""Figures and methods as text, the same on printed pages, in sentences, in exports and in the terminal."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from diagnosis.choices import PlatformSurface

SURFACE_LABELS = {
    PlatformSurface.MEMORY: _("API，只凭模型记忆，不联网；不是它的 App"),
    PlatformSurface.SEARCH: _("API，联网搜索；不是它的 App"),
    PlatformSurface.APP: _("API，应用内搜索；接近但不等于它的 App"),
}


def format_percent(share: float | None) -> str:
    """Format 0.4167 as "42%", rounded as on the page; a missing share is a dash."""
    return "–" if share is None else f"{int(share * 100 + 0.5)}%"


def list_surfaces(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the name of each platform of a report and what was measured there."""
    surfaces = report["method"]["surfaces"]
    return [
        (platform["name"], str(SURFACE_LABELS[PlatformSurface(surfaces[platform["id"]])]))
        for platform in report["platforms"]
        if platform["id"] in surfaces
    ]
