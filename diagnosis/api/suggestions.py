"""HTTP API of suggestions: from the caller's earlier diagnoses, and on request by the judge, which is a paid call."""

import uuid
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, P, QueryEx, Router, Schema
from pydantic import AfterValidator, StringConstraints

from diagnosis.analysis.columns import find_named_brands
from diagnosis.api.access import get_request_user, get_workspace
from diagnosis.api.schemas import NameText, SuggestedBrand, validate_readable
from diagnosis.brands.suggestions import suggest_competitors
from diagnosis.choices import WorkspaceRole
from diagnosis.clients import require_consent
from diagnosis.models import TrackedQuestion
from diagnosis.moderation import check_typed_texts
from diagnosis.workspaces.judge_suggestions import Subject, find_judge, get_suggestion_cost, suggest_by_judge
from diagnosis.workspaces.names import load_names
from diagnosis.workspaces.suggestions import suggest_questions

router = Router(tags=["suggestions"])

ProductText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(validate_readable)
]


class JudgeOut(Schema):
    """The platform that suggests on request. cost: expected for a call, null without a price."""

    name: str
    cost: Decimal | None


class SuggestionsOut(Schema):
    """The competitors that are suggested for a brand. judge: null if the site has none."""

    competitors: list[SuggestedBrand]
    judge: JudgeOut | None


class JudgeQuestionsIn(Schema):
    """What the questions are about."""

    product: ProductText


class JudgeSuggestionsIn(JudgeQuestionsIn):
    """A brand that has no workspace yet."""

    brand: NameText


class JudgeSuggestionsOut(Schema):
    """What the judge suggests. cost: of the call."""

    spellings: list[str] = Field(description="of the brand")
    competitors: list[str]
    questions: list[str]
    cost: Decimal


class SuggestedQuestionOut(Schema):
    """A text that is not tracked. runs: how many have asked it, for reason "asked"."""

    text: str
    reason: Literal["asked", "template", "tag", "judge"]
    runs: int
    names_brand: bool


class JudgeQuestionsOut(Schema):
    """Questions that are not tracked, suggested by the judge. cost: of the call."""

    items: list[SuggestedQuestionOut]
    cost: Decimal


@router.get(
    "/suggestions",
    response=SuggestionsOut,
    summary="Suggest competitors",
    operation_id="diagnosis_api_get_suggestions",
)
def get_suggestions(request: HttpRequest, brand: QueryEx[str, P(min_length=1, max_length=100)]) -> dict[str, Any]:
    """Return the competitors that the caller compared with this brand before, newest first, and the judge's price."""
    competitors, judge = suggest_competitors(get_request_user(request), brand.replace("\x00", "")), find_judge()
    offer = {"name": judge.name, "cost": get_suggestion_cost(judge)} if judge else None
    return {"competitors": competitors, "judge": offer}


@router.post(
    "/suggestions",
    response=JudgeSuggestionsOut,
    summary="Let the judge suggest names and questions",
    operation_id="suggest_by_judge",
)
def ask_judge(request: HttpRequest, body: JudgeSuggestionsIn) -> dict[str, Any]:
    """Return spellings, competitors and questions: one paid call. Nothing is stored. 404 if the site has no judge."""
    user = get_request_user(request)
    require_consent(user)
    check_typed_texts(user, {"brand": body.brand, "product": body.product})
    return asdict(suggest_by_judge(Subject(body.brand, body.product), user.pk))


@router.get(
    "/workspaces/{workspace_id}/questions/suggest",
    response=list[SuggestedQuestionOut],
    summary="Suggest questions",
    operation_id="suggest_workspace_questions",
)
def suggest(
    request: HttpRequest, workspace_id: uuid.UUID, product: QueryEx[str, P(max_length=60)] = ""
) -> list[dict[str, Any]]:
    """Return questions that earlier runs asked, and templates about `product`, each with its reason."""
    return suggest_questions(get_workspace(request, workspace_id), product.replace("\x00", "").strip())


@router.post(
    "/workspaces/{workspace_id}/questions/suggest",
    response=JudgeQuestionsOut,
    summary="Let the judge suggest questions",
    operation_id="suggest_questions_by_judge",
)
def ask_judge_for_questions(request: HttpRequest, workspace_id: uuid.UUID, body: JudgeQuestionsIn) -> dict[str, Any]:
    """Return questions that the workspace does not have: one paid call. Nothing is added. 404 without a judge."""
    workspace, user = get_workspace(request, workspace_id, WorkspaceRole.EDITOR), get_request_user(request)
    require_consent(user)
    check_typed_texts(user, {"product": body.product})
    brands = load_names(workspace)
    own = next((brand.name for brand in brands if brand.is_own), workspace.name)
    questions = list(TrackedQuestion.objects.filter(workspace=workspace).values_list("text", flat=True))
    names = [spelling for brand in brands for spelling in brand.spellings]
    found = suggest_by_judge(Subject(own, body.product, names, questions), user.pk, workspace.pk)
    matchers = [brand.to_matcher() for brand in brands]
    items = [
        {"text": text, "reason": "judge", "runs": 0, "names_brand": bool(find_named_brands(text, matchers))}
        for text in found.questions
    ]
    return {"items": items, "cost": found.cost}
