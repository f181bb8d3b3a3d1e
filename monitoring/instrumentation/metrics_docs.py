"""The list of all metrics as a page: docs/reference/metrics.md is made of it, and a test compares them."""

from itertools import groupby

from monitoring.instrumentation.registry import Metric, get_metrics

TABLES_BEGIN_MARK = "<!-- made by `manage.py list_metrics --update docs/reference/metrics.md` -->"
TABLES_END_MARK = "<!-- end -->"


def render_metrics_markdown() -> str:
    """A table for each app."""
    tables = groupby(get_metrics().values(), key=lambda metric: metric.app)
    return "\n".join(_render_table(app, list(metrics)) for app, metrics in tables)


def _render_table(app: str, metrics: list[Metric]) -> str:
    rows = [f"| `{one.name}` | {one.kind} | {_format_labels(one)} | {one.help} |" for one in metrics]
    return "\n".join([f"### {app}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|", *rows, ""])


def _format_labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)


def replace_metric_tables(page: str) -> str:
    """The page with its tables made anew. Raises ValueError for one without the two marks."""
    before, begin, rest = page.partition(TABLES_BEGIN_MARK)
    _old, end, after = rest.partition(TABLES_END_MARK)
    if not (begin and end):
        raise ValueError(f"it has no {TABLES_BEGIN_MARK!r} … {TABLES_END_MARK!r}")
    return f"{before}{begin}\n\n{render_metrics_markdown()}\n{end}{after}"
