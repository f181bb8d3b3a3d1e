"""docs/guide/run.md names files, classes and functions that exist."""

import ast
import re
from pathlib import Path

from testing.site import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs/guide/run.md").read_text()


def get_defined_names(path: Path) -> set[str]:
    """Return functions and classes of a module, methods as `Class.method` and `method`."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}
            names |= methods | {f"{node.name}.{method}" for method in methods}
    return names


def test_every_function_is_defined_in_the_file_named_before_it() -> None:
    cells = [row.split(" | ")[1] for row in PAGE.splitlines() if re.match(r"\| (\d+|[a-z])\. ", row)]
    full_paths: dict[str, str] = {}
    checked = 0
    for cell in cells:
        path = ""
        for token in re.findall(r"`([^`]+)`", cell):
            if token.endswith(".py"):
                path = full_paths.setdefault(Path(token).name, token) if "/" not in token else token
                full_paths[Path(token).name] = path
                assert (PROJECT_ROOT / path).is_file(), path
            elif not token.startswith("settings."):
                assert token in get_defined_names(PROJECT_ROOT / path), f"{path} does not define {token}"
                checked += 1
    assert checked > 30
