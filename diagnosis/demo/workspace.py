"""Seed the demo workspace: texts by the demo platforms, analysed, counted and reported by the code of real runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.demo import scenario
from diagnosis.demo.replies import build_reply
from diagnosis.models import (
    Action,
    Answer,
    Brand,
    Diagnosis,
    Frequency,
    NameCandidate,
    Panel,
    PanelVersion,
    Platform,
    Question,
    Schedule,
    Workspace,
)
from diagnosis.orders.services import RequestContext, create_diagnosis_row
from diagnosis.platforms.demo.answers import Opinions
from diagnosis.replies import PlatformReply
from diagnosis.reports.service import build_report_from_database
from diagnosis.running.events import build_complete_event
from diagnosis.running.reply_records import build_reply_columns, create_reply_rows
from diagnosis.schedules.recurrence import get_next_due_at
from diagnosis.trends.panels import compute_panel_key
from diagnosis.workspaces.defaults import build_name_key, get_default_workspace
from diagnosis.workspaces.names import store_names
from diagnosis.workspaces.panels import PanelContent, create_panel, fill_schedule, get_current_version
from diagnosis.workspaces.questions import add_question
from diagnosis.workspaces.run_end import handle_run_end
from progress.services import close_stream

# Keys of clients are ASCII (diagnosis/api/diagnoses.py), so no client can use one of these.
IDEMPOTENCY_KEY = "演示:{workspace}:{number}"
MILLISECONDS = 1200  # of a call
RUN_TIME = time(9)


def seed_demo_workspace(owner: AbstractBaseUser) -> Workspace | None:
    """Return the owner's demo workspace with its runs, created once; an interrupted seeding is continued.

    None if the owner has deleted it, or has used the brand for diagnoses of their own.
    """
    brand = scenario.NAMES[0].name
    deleted = Workspace.objects.filter(members__user_id=owner.pk, key=build_name_key(brand), is_demo=True)
    if deleted.filter(deleted_at__isnull=False).exists():
        return None
    workspace = get_default_workspace(owner.pk, brand, is_demo=True)
    keys = [IDEMPOTENCY_KEY.format(workspace=workspace.pk, number=number) for number in range(scenario.RUNS)]
    stored = set(Diagnosis.objects.filter(workspace=workspace).values_list("idempotency_key", flat=True))
    if stored and keys[0] not in stored:
        return None
    version = _prepare_panel(workspace, owner)
    platforms = Platform.objects.in_bulk(version.platforms)
    for number, key in enumerate(keys):
        if key not in stored:
            _seed_run(_DemoRun(workspace, version, platforms, number), RequestContext(owner, key))
    return workspace


def _prepare_panel(workspace: Workspace, owner: AbstractBaseUser) -> PanelVersion:
    """Return the version that all runs ask, with names, questions and a weekly schedule."""
    with transaction.atomic():
        Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        panel = Panel.objects.filter(workspace=workspace).order_by("created_at").first()
        if panel is None:
            store_names(workspace, scenario.NAMES)
            questions = [add_question(workspace, text, [tag]) for text, tag in scenario.QUESTIONS]
            content = PanelContent([row.pk for row in questions], scenario.PLATFORMS, scenario.REPEATS)
            panel = create_panel(workspace, _("每周"), content, owner)
            _schedule(panel, owner)
    return get_current_version(panel)


def _schedule(panel: Panel, owner: AbstractBaseUser) -> None:
    schedule = Schedule(
        owner_id=owner.pk,
        workspace=panel.workspace,
        panel=panel,
        every=Frequency.WEEKLY,
        weekday=(timezone.localdate() - timedelta(days=1)).weekday(),  # the latest run was today
        time=RUN_TIME,
        budget_calls=5 * len(scenario.QUESTIONS) * len(scenario.PLATFORMS) * scenario.REPEATS,
        budget_money=0,
    )
    fill_schedule(schedule, panel)
    schedule.next_at = get_next_due_at(schedule, timezone.now())
    schedule.save()


class _DemoRun:
    """A run of the panel in one of the past weeks, the last one today."""

    def __init__(
        self, workspace: Workspace, version: PanelVersion, platforms: Mapping[str, Platform], number: int
    ) -> None:
        self.workspace, self.version, self.number = workspace, version, number
        self.platforms = [platforms[pk] for pk in version.platforms]
        weeks = timedelta(weeks=scenario.RUNS - 1 - number)
        self.started_at: datetime = workspace.created_at - weeks - timedelta(hours=1)
        self.finished_at = self.started_at + timedelta(minutes=2)

    def create_rows(self, context: RequestContext) -> tuple[Diagnosis, list[Brand], list[Question]]:
        """Create the diagnosis without answers."""
        texts = [place.question.text for place in self.version.places.select_related("question")]
        diagnosis = create_diagnosis_row(
            context,
            workspace=self.workspace,
            panel_version=self.version,
            names_version=self.workspace.names_version,
            brand=scenario.NAMES[0].name,
            panel=compute_panel_key(scenario.NAMES[0].name, texts, self.version.platforms),
            is_demo=True,
            repeats=self.version.repeats,
            planned=len(texts) * len(self.platforms) * self.version.repeats,
            created_at=self.started_at,
            started_at=self.started_at,
            run_number=1,
        )
        brands = Brand.objects.bulk_create(
            Brand(
                diagnosis=diagnosis,
                name=names.name,
                aliases=list(names.aliases),
                sites=list(names.sites),
                is_own=names.is_own,
                position=position,
            )
            for position, names in enumerate(scenario.NAMES)
        )
        questions = [Question(diagnosis=diagnosis, position=place, text=text) for place, text in enumerate(texts)]
        return diagnosis, brands, Question.objects.bulk_create(questions)

    def answer(
        self, question: Question, platform: Platform, repeat: int, brands: list[BrandSpellings]
    ) -> tuple[Answer, PlatformReply]:
        """Return an unsaved answer with its reply."""
        opinions = Opinions(
            scenario.get_popularity(self.number, question.position),
            scenario.get_criticism(self.number, platform.pk),
        )
        seed = self.number * 1000 + repeat
        reply, extraction = build_reply(platform, question.text, seed, opinions)
        answer = Answer(
            diagnosis_id=question.diagnosis_id,
            question=question,
            platform=platform,
            repeat=repeat,
            state=AnswerState.VALID,
            is_demo=True,
            attempts=1,
            milliseconds=MILLISECONDS,
            answered_at=self.finished_at,
            extraction=extraction,
            **build_reply_columns(reply),
            **compute_analysis_columns(reply.text, brands, question.text, extraction),
        )
        return answer, reply


def _seed_run(run: _DemoRun, context: RequestContext) -> None:
    """Store a run with its report. If another process has stored it meanwhile, nothing is left to do."""
    try:
        with transaction.atomic():
            diagnosis, brands, questions = run.create_rows(context)
            spellings = build_brand_spellings(brands)
            rows = [
                run.answer(question, platform, repeat, spellings)
                for question in questions
                for platform in run.platforms
                for repeat in range(1, run.version.repeats + 1)
            ]
            _end_run(run, diagnosis, rows)
    except IntegrityError:
        if not Diagnosis.objects.filter(idempotency_key=context.idempotency_key).exists():
            raise


def _end_run(run: _DemoRun, diagnosis: Diagnosis, rows: Sequence[tuple[Answer, PlatformReply]]) -> None:
    Answer.objects.bulk_create([answer for answer, _reply in rows])
    create_reply_rows(rows)
    diagnosis.valid, diagnosis.status = len(rows), DiagnosisStatus.COMPLETED
    diagnosis.report, diagnosis.finished_at = build_report_from_database(diagnosis), run.finished_at
    diagnosis.save(update_fields=["valid", "status", "report", "finished_at"])
    close_stream(diagnosis.stream_id, "complete", build_complete_event(diagnosis))
    handle_run_end(diagnosis)
    # What it found was found then.
    for found in (Action, NameCandidate):
        new = found.objects.filter(workspace=run.workspace, created_at__gt=run.finished_at)
        new.update(created_at=run.finished_at)
