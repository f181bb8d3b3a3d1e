"""Cold pages at Slow 4G, with bundles and file by file, behind nginx: `make bench-page`.

python -m bench.page [--rounds N] [--large N]
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.environment import running_services_with_redis, start_bench_database
from bench.harness import BenchmarkResult, run_measurements
from bench.page.browser import Visit, sign_in, visit_page
from testing.proxied_site import running_proxied_site
from testing.services import find_program
from testing.site import run_management_command

MAX_REQUESTS, MAX_BYTES, MAX_SECONDS = 12, 120_000, 1.5
SMALL_ANSWERS = 60


@dataclass(frozen=True)
class MeasuredPage:
    """A page, its path, and what is shown when it is usable."""

    name: str
    path: str
    selectors: list[str]


def list_pages(answers: int) -> list[MeasuredPage]:
    """Create what the pages show, and return them."""
    from bench.page.data import WEEKLY_RUNS, create_report, create_user

    user = create_user()
    large = create_report(user, answers, weeks_ago=WEEKLY_RUNS + 1)
    runs = [create_report(user, SMALL_ANSWERS, weeks_ago=week) for week in reversed(range(WEEKLY_RUNS))]
    report = ["#headline", "#figures tr", "#heatmap button", "#open-share"]
    return [
        MeasuredPage("start", "/", ["#brand", "#platforms input", "#latest a", "#submit"]),
        MeasuredPage(f"report of {SMALL_ANSWERS} answers", f"/diagnoses/{runs[-1].pk}/", report),
        MeasuredPage(f"report of {answers:,} answers", f"/diagnoses/{large.pk}/", report),
        MeasuredPage("overview", f"/w/{large.workspace_id}/", ["#workspace-name", "#tiles *", "#headline"]),
        MeasuredPage("history", "/history/", ["#history .diagnosis-item", "#q"]),
    ]


def measure_pages(redis_url: str, *, rounds: int, answers: int) -> list[BenchmarkResult]:
    """Visit all pages of a site with bundles, then of one without; return the rows of both."""
    database = start_bench_database()
    from diagsite.web.bundles import build_bundles, remove_bundles

    pages = list_pages(answers)
    build_bundles()
    try:
        run_management_command(
            ["collectstatic", "--noinput"],
            database,
            **{"ENVIRONMENT": "production", "REDIS_URL": redis_url, "ALLOWED_HOSTS": "localhost"},
            SECRET_KEY="only-of-this-bench-0123456789-abcdefghijklmnopqrstuvwxyz",
        )
        bundled = visit_pages(pages, database, redis_url, rounds=rounds)
        remove_bundles()
        unbundled = visit_pages(pages, database, redis_url, rounds=rounds)
    finally:
        build_bundles()
    return [row for page in pages for row in build_rows(page.name, bundled[page.name], unbundled[page.name])]


def visit_pages(
    pages: Sequence[MeasuredPage], database: str, redis_url: str, *, rounds: int
) -> Mapping[str, list[Visit]]:
    """Start a site and visit each page in every round, after one visit that is not counted."""
    from playwright.sync_api import sync_playwright

    from bench.page.data import PASSWORD, USER_NAME

    visits: dict[str, list[Visit]] = {page.name: [] for page in pages}
    with (
        tempfile.TemporaryDirectory(prefix="diagsite-page-") as directory,
        running_proxied_site(Path(directory), database, redis_url, DEMO="0") as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=["--no-sandbox"])
        cookies = sign_in(browser, site.url, USER_NAME, PASSWORD)
        for number in range(rounds + 1):
            for page in pages:
                visit = visit_page(browser, f"{site.url}{page.path}", cookies, page.selectors)
                visits[page.name] += [visit] if number else []
        browser.close()
    return visits


def build_rows(name: str, bundled: list[Visit], unbundled: list[Visit]) -> list[BenchmarkResult]:
    """Return the rows of one page."""
    (requests, size, seconds), before = get_medians(bundled), get_medians(unbundled)
    return [
        BenchmarkResult(
            f"{name}: requests of a cold visit",
            f"<= {MAX_REQUESTS}",
            f"{requests} (file by file {before[0]})",
            requests <= MAX_REQUESTS,
        ),
        BenchmarkResult(
            f"{name}: compressed, with headers",
            f"<= {MAX_BYTES // 1000} kB",
            f"{size / 1000:.1f} kB (file by file {before[1] / 1000:.1f} kB)",
            size <= MAX_BYTES,
        ),
        BenchmarkResult(
            f"{name}: usable at Slow 4G",
            f"<= {MAX_SECONDS} s",
            f"{seconds:.2f} s (file by file {before[2]:.2f} s)",
            seconds <= MAX_SECONDS,
        ),
    ]


def get_medians(visits: Sequence[Visit]) -> tuple[int, int, float]:
    """Return the medians of requests, bytes and seconds."""
    return (
        round(median(visit.requests for visit in visits)),
        round(median(visit.size for visit in visits)),
        median(visit.seconds for visit in visits),
    )


def main() -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=1000, help="answers of the large report, in steps of 200")
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:
        measure = partial(measure_pages, redis_url, rounds=options.rounds, answers=options.large)
        return run_measurements("page", [("cold pages", measure)])


if __name__ == "__main__":
    sys.exit(main())
