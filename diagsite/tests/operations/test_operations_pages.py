"""The operators' manuals in both languages match the code: defects, retention, commands, units."""

import re

import pytest

from diagnosis.repair.defects import DEFECTS
from diagsite.operations.retention import RETENTION_RULES
from testing.site import PROJECT_ROOT

PAGES = ["docs/operations/manual.zh.md", "docs/operations/manual.md"]


def _first_column(page: str, heading: str) -> list[str]:
    text = (PROJECT_ROOT / page).read_text()
    section = next(part for part in text.split("\n## ") if part.startswith(heading))
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


@pytest.mark.parametrize(("page", "heading"), [(PAGES[0], "保留期"), (PAGES[1], "Retention")])
def test_every_retention_rule_is_documented_with_its_days(page: str, heading: str) -> None:
    assert _first_column(page, heading) == [rule.name for rule in RETENTION_RULES]
    text = (PROJECT_ROOT / page).read_text()
    documented_days = {
        name: float(days) for name, days in re.findall(r"^\| `(\w+)` \|.*\| (?:`\w+`[，,] ?)?(\d+) \|$", text, re.M)
    }
    assert documented_days == {rule.name: rule.days for rule in RETENTION_RULES}


@pytest.mark.parametrize(("page", "heading"), [(PAGES[0], "修复历史记录"), (PAGES[1], "Repair old records")])
def test_every_defect_is_documented(page: str, heading: str) -> None:
    assert sorted(_first_column(page, heading)) == sorted(defect.name for defect in DEFECTS)


@pytest.mark.parametrize("page", PAGES)
def test_documented_commands_and_units_exist(page: str) -> None:
    text = (PROJECT_ROOT / page).read_text()
    ours = {path.stem for path in PROJECT_ROOT.glob("*/management/commands/*.py")} | {"createsuperuser"}
    assert set(re.findall(r"manage\.py (\w+)", text)) <= ours
    shipped = {path.name for path in (PROJECT_ROOT / "deploy" / "systemd").iterdir()}
    for unit in re.findall(r"^\| `(diagsite-\w+@?)", text, re.MULTILINE):
        assert f"{unit}.service" in shipped
    files = re.findall(r"deploy/[\w./-]*\w", text)
    own = {"deploy/environment", "deploy/certificates"}
    assert [file for file in files if file not in own and not (PROJECT_ROOT / file).exists()] == []
