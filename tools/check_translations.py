"""Is every text translated, and are the compiled translations those of their source? Exit code 1 when not."""

import ast
import gettext
import re
import sys
from pathlib import Path

import polib  # type: ignore[import-untyped]

TRANSLATING_FUNCTIONS = ("_", "gettext", "gettext_lazy", "gettext_noop")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def main() -> int:
    """Check every catalogue; 0 when all is well."""
    problems = [
        problem
        for source in sorted([*Path("locale").rglob("*.po"), *Path("diagsite").rglob("*.po")])
        for problem in check(source)
    ]
    problems += find_untranslated_texts()
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


def check(source: Path) -> list[str]:
    """What is wrong with one catalogue."""
    catalogue = polib.pofile(str(source))
    compiled = source.with_suffix(".mo")
    missing = [*catalogue.untranslated_entries(), *catalogue.fuzzy_entries()]
    problems = [f"{source}:{entry.linenum}: not translated: {entry.msgid}" for entry in missing]
    if not compiled.exists():
        return [*problems, f"{compiled} is missing: manage.py compilemessages"]
    with compiled.open("rb") as file:
        gettext.GNUTranslations(file)  # raises when it is no catalogue at all
    if _texts(catalogue) != _texts(polib.mofile(str(compiled))):
        problems.append(f"{compiled} is not compiled from {source}: manage.py compilemessages")
    return problems


def find_untranslated_texts() -> list[str]:
    """Chinese texts in Python that are marked for translation, but are not in the English catalogue."""
    translated = {entry.msgid for entry in polib.pofile("locale/en/LC_MESSAGES/django.po")}
    return [
        f"{path}:{call.lineno}: not in the English catalogue: {text}"
        for path in sorted(Path().glob("[a-z]*/**/*.py"))
        if "tests" not in path.parts
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in TRANSLATING_FUNCTIONS
        for text in [argument.value for argument in call.args[:1] if isinstance(argument, ast.Constant)]
        if isinstance(text, str) and CHINESE.search(text) and text not in translated
    ]


def _texts(catalogue: polib.POFile | polib.MOFile) -> dict[tuple[str, str | None], tuple[str, dict[int, str]]]:
    return {
        (entry.msgid, entry.msgctxt): (entry.msgstr, entry.msgstr_plural) for entry in catalogue if not entry.obsolete
    }


if __name__ == "__main__":
    sys.exit(main())
