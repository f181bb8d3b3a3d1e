"""Preview, apply and undo changes of a workspace's names. Stored answers are counted again by a job.

Names are edited as a whole: a new spelling, a brand, a removal or a merge (the spellings of one brand move to another)
is another list of brands.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import build_brand_spellings, reanalyse_answers
from diagnosis.choices import FINAL_STATUSES
from diagnosis.models import Brand, Diagnosis, NamesChange, RunFigure, RunSummary, Workspace
from diagnosis.reports.intervals import compute_rate, compute_rate_interval
from diagnosis.reports.service import ANSWER_ORDERING, build_report_from_rows
from diagnosis.running import queue
from diagnosis.workspaces.names import (
    MAX_RIVALS,
    MAX_SPELLINGS,
    BrandNames,
    build_spelling_key,
    load_names,
    names_from_json,
    names_to_json,
    store_names,
)
from diagnosis.workspaces.panels import update_schedules
from errors.exceptions import Conflict, InvalidInput, NotFound


def validate_names(workspace: Workspace, names: Sequence[BrandNames]) -> None:
    """Raise InvalidInput, naming the field, if the names cannot be those of the workspace."""
    errors = dict(_iter_name_errors(names))
    known = {brand.id: brand for brand in load_names(workspace)}
    for index, brand in enumerate(names):
        if brand.id and brand.id not in known:
            errors[f"brands.{index}.id"] = _("工作区里没有这个品牌。")
        elif brand.id and known[brand.id].is_own != brand.is_own:
            errors[f"brands.{index}.is_own"] = _("不能更换本品牌。")
    if errors:
        raise InvalidInput(fields=errors)


def _iter_name_errors(names: Sequence[BrandNames]) -> Iterator[tuple[str, str]]:
    if sum(brand.is_own for brand in names) != 1:
        yield "brands", _("本品牌必须有且只有一个。")
    if sum(not brand.is_own for brand in names) > MAX_RIVALS:
        yield "brands", _("竞品最多 %(most)s 个。") % {"most": MAX_RIVALS}
    owners: dict[str, int] = {}
    for index, brand in enumerate(names):
        if len(brand.spellings) > MAX_SPELLINGS:
            yield f"brands.{index}.aliases", _("每个品牌最多 %(most)s 种写法。") % {"most": MAX_SPELLINGS}
        for position, text in enumerate(brand.spellings):
            field = f"brands.{index}.aliases.{position - 1}" if position else f"brands.{index}.name"
            owner = owners.setdefault(build_spelling_key(text), index)
            if owner != index:
                yield field, _("“%(name)s”已经有这个写法了。") % {"name": names[owner].name}


def preview_names(workspace: Workspace, names: Sequence[BrandNames]) -> dict[str, Any]:
    """Return the rates of the newest run as they are and as they would be. Nothing is stored."""
    validate_names(workspace, names)
    newest = _find_newest(workspace)
    recounted = workspace.diagnoses.filter(status__in=FINAL_STATUSES)
    counts = {
        "runs": recounted.filter(names_version__isnull=False).count(),
        "old_runs": recounted.filter(names_version=None).count(),
    }
    if newest is None:
        return counts | {"diagnosis": None, "brands": []}
    before = _load_rates(newest)
    after = _count_with(newest, names)
    return counts | {
        "diagnosis": newest.pk,
        "brands": [
            {"name": name, "before": before.get(name), "after": after.get(name)}
            for name in dict.fromkeys([*after, *before])
        ],
    }


def _find_newest(workspace: Workspace) -> Diagnosis | None:
    return workspace.diagnoses.filter(status__in=FINAL_STATUSES, valid__gt=0).defer("report").first()


def load_newest_rates(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return the stored rates of the brands in the newest run, by name."""
    newest = _find_newest(workspace)
    return _load_rates(newest) if newest else {}


def _build_rate(k: int, n: int) -> dict[str, Any]:
    low, high = compute_rate_interval(k, n)
    return {"k": k, "n": n, "rate": compute_rate(k, n), "low": low, "high": high}


def _load_rates(diagnosis: Diagnosis) -> dict[str, dict[str, Any]]:
    surface = RunSummary.objects.filter(diagnosis=diagnosis).values_list("surface", flat=True).first() or ""
    figures = RunFigure.objects.filter(diagnosis=diagnosis, surface=surface, platform="").order_by(
        "-is_own", "position"
    )
    return {figure.name: _build_rate(figure.k, figure.n) for figure in figures}


def _count_with(diagnosis: Diagnosis, names: Sequence[BrandNames]) -> dict[str, dict[str, Any]]:
    brands = [
        Brand(diagnosis=diagnosis, name=brand.name, aliases=list(brand.aliases), sites=list(brand.sites),
              is_own=brand.is_own, position=position)
        for position, brand in enumerate(names)
    ]  # fmt: skip
    answers = list(diagnosis.answers.select_related("question").order_by(*ANSWER_ORDERING))
    reanalyse_answers(answers, build_brand_spellings(brands))
    report = build_report_from_rows(diagnosis, brands, diagnosis.questions.all(), answers)
    return {
        brand["name"]: _build_rate(brand["figures"]["mentions"], brand["figures"]["valid"])
        for brand in report["brands"]
    }


def apply_names(
    workspace: Workspace, names: Sequence[BrandNames], names_version: int, *, recount_old: bool = False
) -> Workspace:
    """Store names and enqueue the recount of the runs that count by the workspace's names.

    names_version: the one that the caller has edited. recount_old: also the runs that have names of their own, such as
    those of earlier releases. Raises Conflict if the names were changed meanwhile.
    """
    validate_names(workspace, names)
    with transaction.atomic():
        locked = _lock(workspace, names_version)
        return _store_version(locked, names, recount_old=recount_old)


def undo_names(workspace: Workspace, names_version: int) -> Workspace:
    """Restore the names before the latest change, as a new version. Raises NotFound without a change."""
    with transaction.atomic():
        locked = _lock(workspace, names_version)
        change = NamesChange.objects.filter(workspace=locked, version=locked.names_version).first()
        if change is None:
            raise NotFound
        return _store_version(locked, names_from_json(change.brands), recount_old=False)


def _lock(workspace: Workspace, names_version: int) -> Workspace:
    locked = Workspace.objects.select_for_update().get(pk=workspace.pk)
    if locked.names_version != names_version:
        raise Conflict(fields={"names_version": _("名称刚被别人修改过，请刷新后再改。")})
    return locked


def _store_version(workspace: Workspace, names: Sequence[BrandNames], *, recount_old: bool) -> Workspace:
    before = names_to_json(load_names(workspace))
    store_names(workspace, names)
    workspace.names_version += 1
    workspace.save(update_fields=["names_version"])
    NamesChange.objects.create(workspace=workspace, version=workspace.names_version, brands=before)
    if recount_old:
        workspace.diagnoses.filter(names_version=None).update(names_version=0)
    update_schedules(workspace)
    queue.enqueue_recount(workspace.pk)
    return workspace
