"""Competitors that were submitted but not stored."""

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q

from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns
from diagnosis.choices import FINAL_STATUSES, AnswerState
from diagnosis.models import Brand, DiagnosisQuerySet, LegacyRecord
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair
from errors.terminal import gettext_lazy

_HAS_COMPETITORS = Exists(Brand.objects.filter(diagnosis=OuterRef("pk"), is_own=False))
_HAS_SUBMITTED_COMPETITORS = Exists(
    LegacyRecord.objects.filter(diagnosis=OuterRef("pk"), facts__competitors__0__isnull=False)
)


class LostCompetitors(DiagnosisDefect):
    """The source system always stored `[]`."""

    name = "competitors_lost"
    description = gettext_lazy("没有竞品，但请求或报告中提到了竞品")
    fix_description = gettext_lazy("补上竞品，重新分析已存的回答，并重新生成报告")

    def find_affected(self) -> DiagnosisQuerySet:
        names_others = Func(
            F("report"),
            Func(F("brand"), template="jsonb_build_object('own', %(expressions)s)"),
            function="jsonb_path_exists",
            arg_joiner=", '$.brands[*].name ? (@ != $own && @ != \"\")', ",
            output_field=BooleanField(),
        )
        has_named_competitors = Q(_HAS_SUBMITTED_COMPETITORS) | Q(names_others, report__isnull=False)
        return get_repairable_diagnoses().filter(has_named_competitors, ~_HAS_COMPETITORS, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        diagnosis = repair.diagnosis
        reported_brands = [brand for brand in (diagnosis.report or {}).get("brands") or [] if isinstance(brand, dict)]
        reported_names = [brand["name"] for brand in reported_brands if brand.get("name")]
        named_competitors = [str(name)[:100] for name in [*repair.facts.get("competitors", []), *reported_names]]
        existing_names = {brand.name for brand in repair.brands} | {diagnosis.brand}
        for name in dict.fromkeys(named_competitors):
            if name not in existing_names:
                brand = Brand(diagnosis=diagnosis, name=name, is_own=False, position=len(repair.brands))
                repair.changes.create(brand)
                repair.brands.append(brand)
        spellings = build_brand_spellings(repair.brands)
        questions = {question.pk: question.text for question in repair.questions}
        for answer in repair.get_answers_in_state(AnswerState.VALID):
            repair.changes.set(
                answer, **compute_analysis_columns(answer.text, spellings, questions[answer.question_id])
            )
        if diagnosis.report is not None:
            repair.rebuild_report()
