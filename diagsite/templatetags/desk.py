"""`{% desk %}`: what waits for the operator who looks at the page."""

from typing import Any

from django import template

from diagsite.desk import tasks_of

register = template.Library()


@register.inclusion_tag("admin/todo_items.html", takes_context=True)
def desk(context: dict[str, Any]) -> dict[str, Any]:
    """The tasks of the request's user, and whether they may see the dashboard."""
    return {"tasks": tasks_of(context["request"].user)}
