"""Is every text translated, and are the compiled translations those of their source? Exit code 1 when not."""

import gettext
import sys
from pathlib import Path

import polib  # type: ignore[import-untyped]


def main() -> int:
    """Check every catalogue; 0 when all is well."""
    problems = [
        problem
        for source in sorted([*Path("locale").rglob("*.po"), *Path("diagsite").rglob("*.po")])
        for problem in check(source)
    ]
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


def _texts(catalogue: polib.POFile | polib.MOFile) -> dict[tuple[str, str | None], tuple[str, dict[int, str]]]:
    return {
        (entry.msgid, entry.msgctxt): (entry.msgstr, entry.msgstr_plural) for entry in catalogue if not entry.obsolete
    }


if __name__ == "__main__":
    sys.exit(main())
