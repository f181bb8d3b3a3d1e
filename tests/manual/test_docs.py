"""The documents match the code: settings, links, decisions, README."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from diagnosis.platforms.seed import REAL_PLATFORMS
from testing.site import PROJECT_ROOT

PAGES = [*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")]
READ = re.compile(r"""(?:env\.\w+|_required)\(\s*"([A-Z_]+)\"""")


def find_links(page: Path) -> Iterator[str]:
    """Yield the relative links and images of a page."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def test_settings_page_lists_exactly_the_variables_in_use() -> None:
    read = set(READ.findall((PROJECT_ROOT / "diagsite" / "settings.py").read_text()))
    named = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (PROJECT_ROOT / "docs/reference/settings.md").read_text(), re.MULTILINE)
    )
    assert named == read


def test_settings_page_has_the_types_and_defaults_of_the_code() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (\w+) \| ([^|]+) \|",
        (PROJECT_ROOT / "docs/reference/settings.md").read_text(),
        re.MULTILINE,
    )
    told = {name: (kind, default.split(":")[0].strip()) for name, kind, default in rows}
    read = list(_reads(ast.parse((PROJECT_ROOT / "diagsite" / "settings.py").read_text())))
    assert len(read) > 50
    for name, kind, default in read:
        if kind in ("int", "float", "bool", "list"):
            assert told[name][0] == kind, name
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert float(told[name][1]) == default, name


def _reads(settings: ast.Module) -> Iterator[tuple[str, str, object]]:
    """Yield (variable, type, constant default) of every `env.type("VARIABLE", default)`."""
    for node in ast.walk(settings):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("env"), attr=kind), args=[ast.Constant(str(name)), *rest]):
                yield name, kind, rest[0].value if rest and isinstance(rest[0], ast.Constant) else None


DECISIONS = sorted((PROJECT_ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_decision_has_a_date(page: Path) -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d.*", page.read_text().splitlines()[2])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())
def test_page_has_no_broken_link(page: Path) -> None:
    assert [target for target in find_links(page) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_names_every_platform_key_and_existing_make_targets(name: str) -> None:
    text = (PROJECT_ROOT / name).read_text()
    assert [row.key_variable for row in REAL_PLATFORMS if f"`{row.key_variable}`" not in text] == []
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w[\w-]*)", text)) <= targets
