"""Refuse retired words and prefixes, and public names that two modules define. Exit code 1 when any is found.

    .venv/bin/python tools/check_names.py [FILE ...]

The words are those of the language that this project has left behind (CONTRIBUTING.md, "Names and language"). They
are looked for in identifiers, comments, docstrings, documents, scripts and pages; not in string data.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

# In prose: documents, comments, docstrings.
RETIRED_WORDS = re.compile(
    r"\b(whoever|whomever|nought|mend(s|ed|ing)?|doors?|desks?|lanes?|wake-?ups?|given up|told (so|of)|held back"
    r"|taken for dead|(asks?|begins?) anew|for want of|to be had|nobody's|somebody|lest"
    r"|tortur(e|es|ed|ing)(?! (target|`))"
    r"|(MOST|LEAST)_[A-Z]\w+)\b",
    re.IGNORECASE,
)
# In identifiers.
RETIRED_NAMES = re.compile(
    r"^_?(MOST|LEAST)_|_AT_ONCE$|^_?(tell|told|look|mend|durably|lately|standing|wanted|whoever|nought)_|_in_words$"
    r"|(^|_)(door|doors|desk|lane|lanes|house|nought|durably|lately|mended)(_|$)"
)
RETIRED_FUNCTIONS = re.compile(r"\w_of$")

# Settings, table columns, the wire and command names stay although they look retired.
ALLOWED_NAMES = {
    "DIAGNOSES_AT_ONCE": "a setting",
    "EXPORTS_AT_ONCE": "a setting",
    "mended": "a column of diagnosis_repairrun",
}
ALLOWED_LINES = re.compile(
    r"make torture|`torture`|^torture|^\.PHONY|\btorture:|bench\.chaos.*torture|results/torture|\"torture\""
)
# Names that many modules define by a convention of their framework or of this project.
CONVENTIONAL_NAMES = {
    "Command",
    "EXAMPLES",
    "P",
    "T",
    "app_name",
    "log",
    "main",
    "register",
    "router",
    "urlpatterns",
}
PRODUCT = ("diagsite/", "diagnosis/", "monitoring/", "progress/", "errors/", "performance/")
PROSE = (".md", ".html", ".js", ".wxml", ".wxss", ".css", ".sh", ".ts", ".yaml", ".yml", ".toml", ".service", ".conf")
EXCLUDED = re.compile(
    r"(^|/)migrations/|^locale/|package-lock|\.lock$|/matching_cases/|brands\.toml$|^tools/check_names\.py$"
)


def main() -> int:
    """Print each finding as `file:line: text`; return 1 when there is one."""
    files = sys.argv[1:] or subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], text=True).split(
        "\n"
    )
    paths = sorted({path for path in files if path and not EXCLUDED.search(path) and Path(path).is_file()})
    findings = [finding for path in paths for finding in _check_file(path)]
    if not sys.argv[1:]:
        findings += _find_duplicate_names([path for path in paths if path.endswith(".py")])
    sys.stderr.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


def _check_file(path: str) -> Iterator[str]:
    if path.endswith(".py"):
        text = Path(path).read_text(encoding="utf-8")
        yield from _check_prose(path, _iter_python_prose(text))
        yield from _check_identifiers(path, ast.parse(text))
    elif path.endswith(PROSE) or Path(path).name in ("Makefile", "Dockerfile", "run", "restart", "install"):
        yield from _check_prose(path, enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1))


def _check_prose(path: str, lines: Iterable[tuple[int, str]]) -> Iterator[str]:
    for number, line in lines:
        if not ALLOWED_LINES.search(line):
            for match in RETIRED_WORDS.finditer(line):
                yield f"{path}:{number}: retired word “{match.group()}”"


def _iter_python_prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of comments and docstrings with their numbers."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield from enumerate(first.value.value.splitlines(), first.lineno)


def _check_identifiers(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in _get_defined_names(node):
            is_retired = RETIRED_NAMES.search(name) or (is_function and RETIRED_FUNCTIONS.search(name))
            if is_retired and name not in ALLOWED_NAMES:
                yield f"{path}:{getattr(node, 'lineno', 0)}: retired name `{name}`"


def _get_defined_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    return []


def _find_duplicate_names(paths: Iterable[str]) -> Iterator[str]:
    """Public names that two product modules define at their top level."""
    defined: dict[str, dict[str, int]] = defaultdict(dict)
    for path in paths:
        if path.startswith(PRODUCT) and "/tests/" not in path:
            for node in ast.parse(Path(path).read_text(encoding="utf-8")).body:
                targets = (
                    node.targets
                    if isinstance(node, ast.Assign)
                    else [node.target]
                    if isinstance(node, ast.AnnAssign)
                    else [node]
                )
                for name in {name for target in targets for name in _get_defined_names(target)}:
                    if not name.startswith("_") and name not in CONVENTIONAL_NAMES:
                        defined[name].setdefault(path, node.lineno)
    for name, lines in sorted(defined.items()):
        if len(lines) > 1:
            places = [f"{path}:{line}" for path, line in lines.items()]
            yield f"{places[0]}: public name `{name}` is defined again at {', '.join(places[1:])}"


if __name__ == "__main__":
    sys.exit(main())
