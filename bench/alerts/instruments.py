"""Cost of the instruments on a report request over HTTP: sites with and without them, requested alternately."""

import random
import sys
import time
from contextlib import ExitStack
from statistics import median

import httpx

from bench.harness import BenchmarkResult, info_only, run_measurements
from testing.services import running_services

MAX_OVERHEAD_SHARE = 0.05
REQUEST_ROUNDS = 3000
WARM_UP_ROUNDS = 200
SETTINGS_MODULES = {
    "none": "bench.alerts.without_instruments",
    "ours": "diagsite.settings",
    "django-prometheus": "bench.alerts.foreign_instruments",
}


def measure_instruments() -> list[BenchmarkResult]:
    """Measure the cost of the instruments on a report request."""
    with running_services():
        seconds = _time_all_sites()
    base = median(seconds["none"])
    # Consecutive requests share the machine's other load: the median of ratios varies less than the ratio of medians.
    cost = {side: _get_median_ratio(seconds[side], seconds["none"]) - 1 for side in SETTINGS_MODULES}
    medians = ", ".join(f"{side} {median(values) * 1000:.2f} ms" for side, values in seconds.items())
    return [
        BenchmarkResult(
            "overhead of the site's instruments on a report request",
            "<= 5 %",
            f"{cost['ours']:+.1%} ({cost['ours'] * base * 1e6:+.0f} us; medians of {REQUEST_ROUNDS}: {medians})",
            cost["ours"] <= MAX_OVERHEAD_SHARE,
        ),
        info_only("overhead of django-prometheus' middlewares, for comparison", f"{cost['django-prometheus']:+.1%}"),
    ]


def _get_median_ratio(these: list[float], those: list[float]) -> float:
    return median(this / that for this, that in zip(these, those, strict=True))


def _time_all_sites() -> dict[str, list[float]]:
    from testing.invariants import request_diagnosis, wait_until_all_ended
    from testing.site import UNLIMITED_SETTINGS, Site, create_database

    address = create_database()
    sites = {
        side: Site(address, concurrency=0, DJANGO_SETTINGS_MODULE=module, **UNLIMITED_SETTINGS)
        for side, module in SETTINGS_MODULES.items()
    }
    seeding_site = Site(address, concurrency=4)
    with ExitStack() as stack:
        stack.callback(seeding_site.server.kill)
        seeding_site.start()
        with seeding_site.client() as client:
            ordered = request_diagnosis(client, ["demo-fast", "demo-slow"], questions=5)
            wait_until_all_ended(seeding_site)
        seeding_site.server.kill()
        clients = {}
        for side, site in sites.items():
            stack.callback(site.server.kill)
            site.start()
            clients[side] = stack.enter_context(site.client())
        return _time_requests_in_turn(clients, f"/api/diagnoses/{ordered.id}/report")


def _time_requests_in_turn(clients: dict[str, httpx.Client], path: str) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {side: [] for side in clients}
    turns = list(clients)
    for number in range(WARM_UP_ROUNDS + REQUEST_ROUNDS):
        random.shuffle(turns)
        for side in turns:
            started = time.perf_counter()
            clients[side].get(path).raise_for_status()
            if number >= WARM_UP_ROUNDS:
                seconds[side].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    sys.exit(run_measurements("alerts-instruments", [("cost of instruments", measure_instruments)]))
