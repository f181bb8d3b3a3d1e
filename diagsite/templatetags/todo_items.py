"""`{% todo_items %}`: the to-do counts of the operator who opens the admin home page."""

from typing import Any

from django import template

from diagsite.admin.home import get_todo_items

register = template.Library()


@register.inclusion_tag("admin/todo_items.html", takes_context=True)
def todo_items(context: dict[str, Any]) -> dict[str, Any]:
    """The to-do items that the user of the request may see."""
    return {"tasks": get_todo_items(context["request"].user)}
