"""The list of all metrics as a page: docs/reference/metrics.md is made of it, and a test compares them."""

from itertools import groupby

from monitoring.registry import Metric, catalogue

BEGIN = "<!-- made by `manage.py list_metrics --update docs/reference/metrics.md` -->"
END = "<!-- end -->"


def markdown_of_metrics() -> str:
    """A table for each app."""
    tables = groupby(catalogue().values(), key=lambda metric: metric.app)
    return "\n".join(_table_of(app, list(metrics)) for app, metrics in tables)


def _table_of(app: str, metrics: list[Metric]) -> str:
    rows = [f"| `{one.name}` | {one.kind} | {_labels_of(one)} | {one.help} |" for one in metrics]
    return "\n".join([f"### {app}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|", *rows, ""])


def _labels_of(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)


def updated_page(page: str) -> str:
    """The page with its tables made anew. Raises ValueError for one without the two marks."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"it has no {BEGIN!r} … {END!r}")
    return f"{before}{begin}\n\n{markdown_of_metrics()}\n{end}{after}"
