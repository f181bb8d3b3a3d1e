"""Formats numbers in the dashboard's templates."""

from typing import Any

from django import template

from monitoring.formatting import format_figure

register = template.Library()


@register.filter
def figure(value: Any, unit: str) -> str:
    """Format a value with its unit; a dash for None and for a missing row."""
    return format_figure(value if isinstance(value, int | float) else None, unit)


@register.filter
def percent(share: float) -> str:
    """Format a share of 0-1 for an SVG attribute, with a decimal point in every language."""
    return f"{share * 100:.1f}"
