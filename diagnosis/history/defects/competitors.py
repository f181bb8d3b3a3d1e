"""Competitors that were submitted and not stored."""

from collections.abc import Iterator

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q

from diagnosis.choices import FINAL, AnswerState
from diagnosis.history.case import Case
from diagnosis.history.defects.base import DiagnosisDefect, repairable
from diagnosis.history.models import LegacyRecord
from diagnosis.models import Brand, DiagnosisQuerySet
from diagnosis.reporting import analysis_columns, brand_names

_RIVALS = Exists(Brand.objects.filter(diagnosis=OuterRef("pk"), is_own=False))
_SUBMITTED = Exists(LegacyRecord.objects.filter(diagnosis=OuterRef("pk"), facts__competitors__0__isnull=False))


class CompetitorsLost(DiagnosisDefect):
    """The origin stored `[]` whatever was submitted."""

    name = "competitors_lost"
    wrong = "no competitors, although the order or the report names some"
    mended = "they are added, looked for in the stored answers, and reported"

    def broken(self) -> DiagnosisQuerySet:
        """Final, without competitors, named elsewhere."""
        names_others = Func(
            F("report"),
            Func(F("brand"), template="jsonb_build_object('own', %(expressions)s)"),
            function="jsonb_path_exists",
            arg_joiner=", '$.brands[*].name ? (@ != $own && @ != \"\")', ",
            output_field=BooleanField(),
        )
        named = Q(_SUBMITTED) | Q(names_others, report__isnull=False)
        return repairable().filter(named, ~_RIVALS, status__in=FINAL)

    def mend(self, case: Case) -> None:
        """Add them, and read the answers again."""
        diagnosis = case.diagnosis
        own = {brand.name for brand in case.brands} | {diagnosis.brand}
        for name in dict.fromkeys(_named(case)):
            if name not in own:
                brand = Brand(diagnosis=diagnosis, name=name, is_own=False, position=len(case.brands))
                case.changes.create(brand)
                case.brands.append(brand)
        spellings = brand_names(case.brands)
        questions = {question.pk: question.text for question in case.questions}
        for answer in case.in_state(AnswerState.VALID):
            case.changes.set(answer, **analysis_columns(answer.text, spellings, questions[answer.question_id]))
        if diagnosis.report is not None:
            case.rebuild_report()


def _named(case: Case) -> Iterator[str]:
    """The names in the order of their submission, then what only the report knows."""
    yield from (str(name)[:100] for name in case.facts.get("competitors", []))
    for brand in (case.diagnosis.report or {}).get("brands") or []:
        if isinstance(brand, dict) and brand.get("name"):
            yield str(brand["name"])[:100]
