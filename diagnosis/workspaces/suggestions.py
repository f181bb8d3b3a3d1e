"""Suggested questions with a reason; none is added by itself, and none costs a call."""

from typing import Any

from django.db.models import Count, Max
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import find_named_brands
from diagnosis.models import Question, Tag, TrackedQuestion, Workspace
from diagnosis.workspaces.names import load_names
from diagnosis.workspaces.questions import build_question_key

MAX_SUGGESTED_QUESTIONS = 30


def _build_template_texts(product: str) -> list[str]:
    patterns = [
        _("%(product)s推荐哪个牌子？"),
        _("买%(product)s，性价比高的品牌有哪些？"),
        _("第一次买%(product)s，选哪个牌子不容易踩坑？"),
        _("%(product)s哪个品牌口碑好？"),
        _("现在%(product)s有哪些知名品牌？"),
        _("%(product)s哪个品牌售后好？"),
    ]
    return [pattern % {"product": product} for pattern in patterns]


def suggest_questions(workspace: Workspace, product: str) -> list[dict[str, Any]]:
    """Return texts that are not tracked yet: asked in earlier runs, and templates about what the brand sells.

    reason: "asked" in so many runs, "template", or "tag": a tag without questions, as the product of a template.
    """
    known = set(TrackedQuestion.objects.filter(workspace=workspace).values_list("key", flat=True))
    brands = [brand.to_matcher() for brand in load_names(workspace)]
    suggestions: list[dict[str, Any]] = []

    def add(text: str, reason: str, runs: int = 0) -> None:
        key = build_question_key(text)
        if key not in known and len(suggestions) < MAX_SUGGESTED_QUESTIONS:
            known.add(key)
            names_brand = bool(find_named_brands(text, brands))
            suggestions.append({"text": text, "reason": reason, "runs": runs, "names_brand": names_brand})

    asked = Question.objects.filter(diagnosis__workspace=workspace).order_by().values("text")
    counted = asked.annotate(runs=Count("diagnosis"), last=Max("diagnosis__created_at")).order_by("-last", "text")
    for row in counted[: 2 * MAX_SUGGESTED_QUESTIONS]:
        add(row["text"], "asked", row["runs"])
    for text in _build_template_texts(product) if product else []:
        add(text, "template")
    for tag in Tag.objects.filter(workspace=workspace, questions=None)[:3]:
        add(_build_template_texts(tag.name)[0], "tag")
    return suggestions
