"""Write docs/benchmarks.md from what the benches have left in bench/results: `python -m bench.results_page`."""

import json
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parent.parent
RESULTS_DIRECTORY = PROJECT_ROOT / "bench" / "results"
BENCHMARKS_PAGE = PROJECT_ROOT / "docs" / "benchmarks.md"

PAGE_HEADER = """# Benchmarks

Each table is what the command above it measured and left in `bench/results`; `python -m bench.results_page`
writes this page from there. What is compared ran in the same run, in turns, and medians count. "told" is a figure
without a promise. `make test` runs a short form of each, which asserts only what a busy machine cannot change.
"""

# Result -> its title, its command, what one has to know to read it.
SECTIONS = {
    "push": (
        "The push path",
        "make bench-push",
        "A socket has a stream of its own. Server and load are kept to a core each; the load client is compiled C. "
        "Deliveries/s is in a second of the server's processor time, which is what a busy core sustains; what was seen "
        "is told beside it. All servers are fed in a closed loop, two events on the way to each socket: the site from "
        "its log, written beforehand and revealed with its wake-ups; plain Channels by its layer; the others over TCP. "
        "Ours sends what waits for a socket in one frame, so it has fewer frames than deliveries. The "
        "latency begins before the transaction of the event, and counts after 2 s at the same rate.",
    ),
    "bytes": (
        "Bytes on the wire",
        "make bench-bytes",
        "One diagnosis of 28 answers, 60 events in 60 s, through a proxy that counts TCP payload both ways, heads and "
        "frames included; once signed in.",
    ),
    "cache": (
        "The cache",
        "make bench-cache",
        "The site over HTTP, with Redis, one connection kept alive. Uncached: Redis is emptied before the call. "
        "Eight cached calls follow each, as in the replayed traffic.",
    ),
    "jobs": (
        "Jobs",
        "make bench-jobs",
        "The site's own API, workers as processes of their own, real platforms answered by a stand-in. celery is its "
        "default prefork worker on Redis with as many places.",
    ),
    "limits": ("Limits", "make bench-limits", "Four processes over one Redis."),
    "scale": (
        "Scale",
        "make bench-scale",
        "The site with worker processes of four places, orders at random at 85 % of what they can take, each of four "
        "calls; look-ups are the median of 50 rows, the second time.",
    ),
    "client": ("The client", "make bench-client", ""),
    "alerts": (
        "Monitoring and alerts",
        "make bench-alerts",
        'Simulated days go through the real evaluator on real samples; a row marked "-" is there for comparison.',
    ),
    "report": ("The report", "make bench-report", ""),
    "history-repair": (
        "Repair of old records",
        "make bench-repair",
        "A generated history of which it is known what is broken, how, and what must be left alone.",
    ),
    "deploy-restart": ("Restart under traffic", "make bench-restart", ""),
    "torture": ("Torture", "make torture", "[What each attack is](guide/chaos.md)."),
}


def write_results_page() -> None:
    """The page, with a section for each result that there is; a section without a new result stays as it is."""
    sections = _split_sections(BENCHMARKS_PAGE.read_text()) if BENCHMARKS_PAGE.exists() else {}
    for name, section in SECTIONS.items():
        path = RESULTS_DIRECTORY / f"{name}.json"
        if path.exists():
            sections[section[0]] = _format_section(*section, json.loads(path.read_text()))
    BENCHMARKS_PAGE.write_text(
        PAGE_HEADER + "".join(sections[title] for title, *_ in SECTIONS.values() if title in sections)
    )


def _split_sections(page: str) -> dict[str, str]:
    """{title: its section}, in their order."""
    parts = page.split("\n## ")[1:]
    return {part.split("\n", 1)[0]: f"\n## {part}" for part in parts}


def _format_section(title: str, command: str, remarks: str, result: dict[str, Any]) -> str:
    rows = [_format_row(one) for one in result.get("figures") or result.get("rows", [])]
    held, missed = (sum(row.endswith(f"| {end} |") for row in rows) for end in ("yes", "NO"))
    lines = [f"\n## {title}\n", f"`{command}`: {held} of {held + missed} held, {_describe_run(result)}.\n"]
    lines += [f"{remarks}\n"] if remarks else []
    return "\n".join([*lines, "| figure | must be | measured | held |", "|---|---|---|---|", *rows, ""])


def _describe_run(result: dict[str, Any]) -> str:
    day = str(result["at"])[:10]
    machine = result.get("machine")
    if not machine:
        return day
    language = f"Python {machine['python']}" if "python" in machine else f"Node {machine['node']}"
    return f"on {machine['cores']} cores, {language}, {day}"


def _format_row(one: dict[str, Any]) -> str:
    must, is_held = one.get("must_be") or one.get("must"), one.get("is_held", one.get("isHeld"))
    cells = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in (one["figure"], must, one["measured"])]
    return f"| {' | '.join(cells)} | {'told' if must == 'told' else 'yes' if is_held else 'NO'} |"


if __name__ == "__main__":
    write_results_page()
