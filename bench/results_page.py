"""Write docs/benchmarks.md from the results in bench/results: `python -m bench.results_page`."""

import json
from typing import Any

from bench.harness import INFO_ONLY, RESULTS_DIRECTORY
from testing.site import PROJECT_ROOT

BENCHMARKS_PAGE = PROJECT_ROOT / "docs" / "benchmarks.md"

PAGE_HEADER = """# Benchmarks

Each table is the result of the command above it. The commands write their results to `bench/results`, and
`python -m bench.results_page` generates this page from them. Alternatives are measured in the same run, taking turns;
the values are medians. "info only" marks a figure without a target. `make test` runs a short form of each benchmark,
which asserts only what does not depend on the load of the machine.
"""

# By the name of the results: title, command, what a reader needs to know.
SECTIONS = {
    "push": (
        "Push",
        "make bench-push",
        "Each socket has its own stream. Server and load client run on a core each; the client is compiled C. "
        "Deliveries/s is the number per second of the server's CPU time, which is what a busy core sustains; the "
        "observed number is given as well. All servers are fed in a closed loop with two events in flight per socket: "
        "the site from its log, written beforehand and published by notifications; plain Channels through its layer; "
        "the others over TCP. The site sends all events that wait for a socket in one frame, so it has fewer frames "
        "than deliveries. Latency is measured from the start of the event's transaction, after 2 s at the same rate.",
    ),
    "bytes": (
        "Bytes on the wire",
        "make bench-bytes",
        "One diagnosis of 28 answers with 60 events in 60 s, through a proxy that counts TCP payload in both "
        "directions including headers and frames, after sign-in.",
    ),
    "cache": (
        "Cache",
        "make bench-cache",
        "Requests to the site over HTTP on one keep-alive connection, with Redis. Uncached: Redis is emptied before "
        "the request. Each is followed by eight cached requests, as in the replayed traffic.",
    ),
    "jobs": (
        "Jobs",
        "make bench-jobs",
        "Requests to the site's API, with separate worker processes and a fake AI platform. celery runs its default "
        "prefork worker on Redis with the same concurrency.",
    ),
    "limits": ("Concurrency and rate limits", "make bench-limits", "Four processes share one Redis."),
    "spending": (
        "Paid calls",
        "make bench-spending",
        "Worker processes run diagnoses of a fake AI platform, which counts the calls itself; edits, outages and kills "
        "come at seeded random moments.",
    ),
    "sources": (
        "Sources",
        "make bench-sources",
        "Cited pages are those that the fakes and the demo platforms have cited, in the shape of each protocol. A page "
        "of sources is requested at the server, without the network.",
    ),
    "page": (
        "Pages",
        "make bench-page",
        "A signed-in user opens each page in Chromium with an empty cache, at the browser's preset for slow 4G (1.44 "
        "Mbit/s, 563 ms for each request), from a site in production behind nginx with TLS and HTTP/2. A page is "
        "usable when its main figures, or its form, are shown and its buttons work. File by file: the same site "
        "without bundles, in the same run.",
    ),
    "workspace": (
        "Workspaces",
        "make bench-workspace",
        "Runs are created by the product's code and copied in SQL. Requests are made at the server, without the "
        "network. The old diagnoses are those of the repair, a fifth of them broken; the fill is killed by SIGKILL.",
    ),
    "scale": (
        "Scale",
        "make bench-scale",
        "Worker processes run four diagnoses at once. Diagnoses of four calls arrive at random at 85 % of the "
        "capacity. Lookups are medians of 50 rows, each measured at its second execution.",
    ),
    "client": ("Mini-program client", "make bench-client", ""),
    "alerts": (
        "Monitoring and alerts",
        "make bench-alerts",
        "Simulated days of samples are evaluated by the real evaluator.",
    ),
    "report": ("Report", "make bench-report", ""),
    "history-repair": (
        "Repair of old records",
        "make bench-repair",
        "Generated records, of which it is known which are broken in which way, and which must not be changed.",
    ),
    "deploy-restart": ("Restart under traffic", "make bench-restart", ""),
    "attack": (
        "Attacks",
        "make attack",
        "Attackers run in processes of their own beside the site, on the same two cores. The limits are those of "
        "production, but the hostile sockets come from many addresses. See [chaos.md](guide/chaos.md#attacks).",
    ),
    "torture": ("Fault injection", "make torture", "The scenarios are described in [chaos.md](guide/chaos.md)."),
}


def write_results_page() -> None:
    """Write the page; a section without new results keeps its text."""
    page = BENCHMARKS_PAGE.read_text() if BENCHMARKS_PAGE.exists() else ""
    sections = {part.split("\n", 1)[0]: f"\n## {part}" for part in page.split("\n## ")[1:]}
    for name, (title, command, remarks) in SECTIONS.items():
        path = RESULTS_DIRECTORY / f"{name}.json"
        if path.exists():
            sections[title] = _format_section(title, command, remarks, json.loads(path.read_text()))
    BENCHMARKS_PAGE.write_text(
        PAGE_HEADER + "".join(sections[title] for title, *_ in SECTIONS.values() if title in sections)
    )


def _format_section(title: str, command: str, remarks: str, results: dict[str, Any]) -> str:
    rows = [_format_row(row) for row in results["figures"]]
    passed, failed = (sum(row.endswith(f"| {outcome} |") for row in rows) for outcome in ("yes", "NO"))
    run = str(results["at"])[:10]
    if machine := results.get("machine"):
        language = f"Python {machine['python']}" if "python" in machine else f"Node {machine['node']}"
        run = f"on {machine['cores']} cores, {language}, {run}"
    lines = [f"\n## {title}\n", f"`{command}`: {passed} of {passed + failed} passed, {run}.\n"]
    lines += [f"{remarks}\n"] if remarks else []
    return "\n".join([*lines, "| figure | must be | measured | passed |", "|---|---|---|---|", *rows, ""])


def _format_row(row: dict[str, Any]) -> str:
    cells = [str(row[column]).replace("|", "\\|").replace("\n", " ") for column in ("figure", "must_be", "measured")]
    outcome = INFO_ONLY if row["must_be"] == INFO_ONLY else "yes" if row["is_held"] else "NO"
    return f"| {' | '.join([*cells, outcome])} |"


if __name__ == "__main__":
    write_results_page()
