"""The demo workspace: twelve runs whose figures are those of their answers, a drop, and something to do about it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from diagnosis.analysis.columns import get_mentioned_brands
from diagnosis.demo import scenario
from diagnosis.demo.workspace import seed_demo_workspace
from diagnosis.models import Action, Answer, Diagnosis, NameCandidate, RunFigure, Schedule, Workspace
from diagnosis.platforms.seed import seed_platforms
from diagnosis.workspaces.overview import build_overview
from diagnosis.workspaces.sources import build_sources_page, select_scope


@pytest.fixture
def _demo(settings: object, db: None) -> None:
    settings.DEMO = True  # type: ignore[attr-defined]
    seed_platforms()


@pytest.mark.usefixtures("_demo")
def test_seeding_tells_a_story_by_the_rules_of_every_run_and_repeats_nothing(owner: AbstractUser) -> None:
    workspace = seed_demo_workspace(owner)
    assert workspace
    assert workspace.is_demo
    overview = build_overview(workspace)
    assert (overview["headline"]["kind"], len(overview["trend"])) == ("changed", scenario.RUNS)
    changes = {change["name"]: change["changed"] for change in overview["headline"]["changes"]}
    assert changes[scenario.NAMES[0].name] == "down"
    assert overview["latest"]["created_at"] > timezone.now() - timedelta(days=1)
    kinds = set(Action.objects.values_list("kind", flat=True))
    assert kinds >= {"drop", "lost_question", "source_gap", "new_rival", "blame"}
    assert NameCandidate.objects.get(name=scenario.NEWCOMER).state == "new"
    sources = build_sources_page(workspace, select_scope(workspace, "", 1, "search"))
    assert sources["answers"] > 0
    assert {host["kind"] for host in sources["hosts"]} >= {"own", "competitor", "media"}
    assert any(host["is_gap"] for host in sources["hosts"])
    assert Schedule.objects.get().workspace == workspace
    _check_figures_are_counts_of_answers()
    before = Diagnosis.objects.count(), Answer.objects.count()
    Diagnosis.objects.order_by("-created_at")[0].delete()  # as an interrupted seeding leaves it
    assert seed_demo_workspace(owner) == workspace
    assert (Diagnosis.objects.count(), Answer.objects.count()) == before
    Workspace.objects.update(deleted_at=timezone.now(), default_for=None)
    assert seed_demo_workspace(owner) is None


def _check_figures_are_counts_of_answers() -> None:
    own = scenario.NAMES[0].name
    for figure in RunFigure.objects.filter(is_own=True).exclude(platform=""):
        answers = Answer.objects.filter(diagnosis=figure.diagnosis, platform=figure.platform, is_truncated=False)
        counted = [answer for answer in answers if answer.surface == "memory" or answer.search_happened == "yes"]
        named = [answer for answer in counted if own in get_mentioned_brands(answer.mentions)]
        assert (len(named), len(counted)) == (figure.k, figure.n)


@pytest.mark.usefixtures("_demo")
def test_own_diagnoses_of_the_brand_are_left_alone(owner: AbstractUser, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.objects.create(name=scenario.NAMES[0].name, key=scenario.NAMES[0].name, is_demo=True)
    workspace.default_for_id = owner.pk
    workspace.save()
    monkeypatch.setattr(scenario, "RUNS", 1)
    seed_demo_workspace(owner)
    Diagnosis.objects.update(idempotency_key=None)
    before = Diagnosis.objects.count()
    assert seed_demo_workspace(owner) is None
    assert Diagnosis.objects.count() == before


def test_command_needs_a_demo_site_and_an_account(settings: object, db: None) -> None:
    settings.DEMO = False  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="DEMO is off"):
        call_command("seed_demo")
    settings.DEMO = True  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="no account nobody"):
        call_command("seed_demo", user="nobody", stdout=StringIO())
