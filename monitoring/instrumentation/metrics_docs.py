"""The tables of docs/reference/metrics.md, generated from the registry; a test compares them."""

from itertools import groupby

from monitoring.instrumentation.registry import get_metrics

TABLES_BEGIN_MARK = "<!-- made by `manage.py list_metrics --update docs/reference/metrics.md` -->"
TABLES_END_MARK = "<!-- end -->"


def render_metrics_markdown() -> str:
    """Return one table per app."""
    lines = []
    for app, metrics in groupby(get_metrics().values(), key=lambda metric: metric.app):
        lines += [f"### {app}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        for metric in metrics:
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
        lines.append("")
    return "\n".join(lines)


def replace_metric_tables(page: str) -> str:
    """Return the page with current tables. Raises ValueError if it lacks the two marks."""
    before, begin, rest = page.partition(TABLES_BEGIN_MARK)
    _old, end, after = rest.partition(TABLES_END_MARK)
    if not (begin and end):
        raise ValueError(f"it has no {TABLES_BEGIN_MARK!r} … {TABLES_END_MARK!r}")
    return f"{before}{begin}\n\n{render_metrics_markdown()}\n{end}{after}"
