"""Figures in the dashboard's templates."""

from typing import Any

from django import template

from monitoring.formatting import format_figure

register = template.Library()


@register.filter
def figure(value: Any, unit: str) -> str:
    """A figure as people read it; a dash for None, and for the row that is not there."""
    return format_figure(value if isinstance(value, int | float) else None, unit)


@register.filter
def percent(share: float) -> str:
    """A share of 0-1 as the width of an SVG's part, with a point whatever the language."""
    return f"{share * 100:.1f}"
