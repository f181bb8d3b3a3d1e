"""HTTP API of questions: checks what a question measures before a diagnosis is started."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import StringConstraints

from diagnosis.analysis.columns import find_named_brands, find_possible_brands
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.api.schemas import BrandIn, NameText, QuestionText
from diagnosis.reports.builder import KIND_RECOGNITION, KIND_UNBRANDED

router = Router(tags=["questions"])


class QuestionsIn(Schema):
    """An incomplete order form. The brand may be empty; other empty fields are omitted."""

    brand: NameText | Annotated[str, StringConstraints(max_length=0)] = ""
    aliases: list[NameText] = Field(default_factory=list, max_length=10)
    competitors: list[BrandIn] = Field(default_factory=list, max_length=10)
    questions: list[QuestionText] = Field(max_length=20)


class CheckedQuestionOut(Schema):
    """The kind of a question, and the brands that it names.

    kind: "recognition" if the question names a brand; its answers are not part of the mention rate. uncertain: brands
    whose names may be ordinary words in it, so that only the user can tell; see `questions_about_brand` of an order.
    """

    kind: Literal["unbranded", "recognition"]
    named: list[str]
    uncertain: list[str]


@router.post(
    "/questions/check",
    response=list[CheckedQuestionOut],
    summary="Check which questions name a brand",
    operation_id="diagnosis_questions_api_check_questions",
)
def check_questions(request: HttpRequest, body: QuestionsIn) -> list[dict[str, Any]]:
    """Return how the report will classify each question, in their order. Nothing is stored."""
    brands = [BrandSpellings(brand.name, [brand.name, *brand.aliases]) for brand in body.competitors]
    if body.brand:
        brands.insert(0, BrandSpellings(body.brand, [body.brand, *body.aliases]))
    checked = []
    for question in body.questions:
        named, uncertain = find_named_brands(question, brands), find_possible_brands(question, brands)
        kind = KIND_RECOGNITION if named else KIND_UNBRANDED
        checked.append({"kind": kind, "named": named, "uncertain": uncertain})
    return checked
