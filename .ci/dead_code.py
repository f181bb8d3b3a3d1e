"""Is there code that nobody uses? vulture's findings, less what frameworks call by name. Exit code 1 for any.

Tests do not count as users. Fields of classes are data, which templates, JSON and the database read; ruff looks after
the variables of functions.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import vulture  # type: ignore[import-untyped]

ROOMS = ["diagsite", "diagnosis", "monitoring", "progress", "errors", "performance", "bench", ".ci", "manage.py"]
EXCLUDED = ["*/tests/*", "tests/*", "testing/*", "*/migrations/*"]
DECORATORS = [
    "@admin.*",  # Django's admin calls what is registered with it
    "@app.*",  # procrastinate's tasks
    "@*router.*",  # the API's routes
    "@api.*",
    "@receiver*",  # signals
    "@register.*",  # template tags
    "@field_validator*",  # pydantic
    "@model_validator*",
]

# Names, by whom they are called.
CALLED_BY = {
    "Django": """Command Media handle add_arguments ready urlpatterns handler400 handler403 handler404 handler500
        app_name changelist_view get_readonly_fields get_search_results get_paths can_fast_delete
        StaticFilesMiddleware""",
    "daphne, channels and Twisted": "listen_error dispatch data_received",
    "http.server": "log_message",
}

# Django's admin: who may do an action. bench/harness.py: what a module of a bench measures.
PATTERNS = re.compile(r"has_\w+_permission|measure_\w+")

# Each with its reason.
ALIVE = {
    "add_callback": "public interface for code that reacts to alerts (docs/operations/alerts.md)",
    "remove_callback": "beside add_callback",
    "get_alert_manager": "beside add_callback",
    "jobs_waiting": "filled from the rows (settings.SITE_GAUGES), known by being made",
    "of_the_signal": "what a signal sends besides, which its receivers must take",
    "PROCRASTINATE_ON_APP_READY": "a setting of the bench's own settings module",
    "success_rate": "the controller's statistics promise it",
    "RETENTION_BY_MODEL": "what each table keeps, for people; a test holds it against the models",
    "reset_to_default_messages": "tests begin without the table's words",
    "list_allowed_actions": "tests compare the actions of the words with those of the clients",
}


def main() -> int:
    """Print what is dead, and what is said to be alive without need; 0 when there is neither."""
    unused = list(_find())
    called = {name for names in CALLED_BY.values() for name in names.split()} | set(_named_in_strings())
    dead = [item for item in unused if item.name not in called | set(ALIVE) and not PATTERNS.fullmatch(item.name)]
    found = [
        f"{item.filename}:{item.first_lineno}: unused {item.typ} {item.name}" for item in dead if not _is_data(item)
    ]
    found += [
        f"{__file__}: {name} is used, and needs no reason" for name in ALIVE.keys() - {item.name for item in unused}
    ]
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


def _find() -> Iterable[vulture.core.Item]:
    looker = vulture.Vulture(ignore_decorators=DECORATORS)
    looker.scavenge(ROOMS, exclude=EXCLUDED)
    unused: list[vulture.core.Item] = looker.get_unused_code(min_confidence=60)
    return unused


def _is_data(item: vulture.core.Item) -> bool:
    """A field, an argument, an attribute that another library reads, a setting; an app's configuration."""
    if item.typ == "variable":
        line = Path(item.filename).read_text(encoding="utf-8").splitlines()[item.first_lineno - 1]
        return line.startswith(" ") or Path(item.filename).name == "settings.py"
    if item.typ == "import":  # ruff looks after them, and knows those for types only
        return True
    return item.typ == "attribute" or str(item.name).endswith("Config")


def _named_in_strings() -> Iterator[str]:
    """What settings and addresses name by dotted path, and what templates name."""
    for module in ("settings", "urls"):
        text = Path(f"diagsite/{module}.py").read_text(encoding="utf-8")
        yield from (path.rpartition(".")[2] for path in re.findall(r'"((?:\w+\.)+\w+)"', text))
    for page in [*Path("templates").rglob("*.html"), *Path().glob("*/templates/**/*.html")]:
        for tag in re.findall(r"\{[{%](.*?)[}%]\}", page.read_text(encoding="utf-8")):
            yield from re.findall(r"\w+", tag)


if __name__ == "__main__":
    sys.exit(main())
