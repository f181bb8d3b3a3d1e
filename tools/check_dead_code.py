"""Report code that nothing uses: vulture's findings without what frameworks call by name. Exit code 1 for any.

Tests don't count as users. Class fields are data, which templates, JSON and the database read; ruff checks the local
variables of functions.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import vulture  # type: ignore[import-untyped]

SOURCE_PATHS = [
    "diagsite",
    "diagnosis",
    "monitoring",
    "progress",
    "errors",
    "performance",
    "bench",
    "tools",
    "manage.py",
]
EXCLUDED = ["*/tests/*", "tests/*", "testing/*", "*/migrations/*"]
IGNORED_DECORATORS = [
    "@admin.*",  # Django's admin calls what is registered with it
    "@app.*",  # procrastinate's tasks
    "@*router.*",  # the API's routes
    "@api.*",
    "@receiver*",  # signals
    "@register.*",  # template tags
    "@field_validator*",  # pydantic
    "@model_validator*",
]

# Names that a framework calls.
FRAMEWORK_HOOKS = {
    "Django": """Command Media handle add_arguments ready urlpatterns handler400 handler403 handler404 handler500
        app_name changelist_view get_changeform_initial_data get_list_display get_ordering get_readonly_fields
        get_search_results has_changed label_from_instance get_paths
        can_fast_delete StaticFilesMiddleware""",
    "Django Ninja": "authenticate",
    "daphne, channels and Twisted": "listen_error dispatch data_received pauseProducing resumeProducing stopProducing",
    "http.server": "log_message",
}

# Django's admin permissions, a form's checks of its fields, and what a module of a bench measures (bench/harness.py).
HOOK_NAME_PATTERN = re.compile(r"has_\w+_permission|(clean|measure|check)_\w+")

# Each with its reason.
ALLOWED_UNUSED = {
    "add_callback": "the interface for code that is called with every alert (docs/operations/alerts.md)",
    "remove_callback": "beside add_callback",
    "get_alert_manager": "beside add_callback",
    "jobs_waiting": "filled from the database (settings.SITE_GAUGES), registered by its creation",
    "diagnoses_running": "beside jobs_waiting",
    "diagnoses_unfinished": "beside jobs_waiting",
    "longest_wait_seconds": "beside jobs_waiting",
    "budgets_used": "beside jobs_waiting",
    "wechat_messages_rejected": "beside jobs_waiting",
    "PROCRASTINATE_ON_APP_READY": "a setting of the bench's own settings module",
    "success_rate": "part of the statistics that the controller promises",
    "RETENTION_BY_MODEL": "documents what each table keeps; a test compares it with the models",
    "reset_to_default_messages": "tests start without the texts of the table",
    "list_allowed_actions": "tests compare the actions of the texts with those of the clients",
}


def main() -> int:
    """Print unused code and needless exceptions; return 1 when there is any."""
    unused = list(_find_unused())
    hook_names = {name for names in FRAMEWORK_HOOKS.values() for name in names.split()} | set(_find_names_in_strings())
    findings = [
        f"{item.filename}:{item.first_lineno}: unused {item.typ} {item.name}"
        for item in unused
        if item.name not in hook_names | set(ALLOWED_UNUSED)
        and not HOOK_NAME_PATTERN.fullmatch(item.name)
        and not _is_data(item)
    ]
    findings += [
        f"{__file__}: {name} is used and needs no exception"
        for name in ALLOWED_UNUSED.keys() - {item.name for item in unused}
    ]
    sys.stderr.writelines(f"{line}\n" for line in findings)
    return 1 if findings else 0


def _find_unused() -> Iterable[vulture.core.Item]:
    scanner = vulture.Vulture(ignore_decorators=IGNORED_DECORATORS)
    scanner.scavenge(SOURCE_PATHS, exclude=EXCLUDED)
    unused: list[vulture.core.Item] = scanner.get_unused_code(min_confidence=60)
    return unused


def _is_data(item: vulture.core.Item) -> bool:
    """Whether it is a field, an attribute that another library reads, a setting, an app configuration, an import."""
    if item.typ == "variable":
        line = Path(item.filename).read_text(encoding="utf-8").splitlines()[item.first_lineno - 1]
        return line.startswith(" ") or Path(item.filename).name == "settings.py"
    if item.typ == "import":  # ruff checks them, and knows those for types only
        return True
    return item.typ == "attribute" or str(item.name).endswith("Config")


def _find_names_in_strings() -> Iterator[str]:
    """The names in dotted paths of settings and URLs, and in template tags."""
    for module in ("settings", "urls"):
        text = Path(f"diagsite/{module}.py").read_text(encoding="utf-8")
        yield from (path.rpartition(".")[2] for path in re.findall(r'"((?:\w+\.)+\w+)"', text))
    for page in [*Path("templates").rglob("*.html"), *Path().glob("*/templates/**/*.html")]:
        for tag in re.findall(r"\{[{%](.*?)[}%]\}", page.read_text(encoding="utf-8")):
            yield from re.findall(r"\w+", tag)


if __name__ == "__main__":
    sys.exit(main())
