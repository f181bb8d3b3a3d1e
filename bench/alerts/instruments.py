"""What our instruments cost on a report request over HTTP: sites with and without them, asked in turn, in one run."""

import random
import sys
import time
from contextlib import ExitStack
from statistics import median

import httpx

from bench.alerts.services import own_services
from bench.figures import Figure, report

MOST = 0.05
ROUNDS = 3000
WARM_UP = 200
SIDES = {
    "none": "bench.alerts.without_instruments",
    "ours": "diagsite.settings",
    "django-prometheus": "bench.alerts.foreign_instruments",
}
# The bench is one caller that asks as fast as it can.
UNLIMITED = {"CALLS_PER_MINUTE": "1000000", "ADDRESS_CALLS_PER_MINUTE": "1000000"}


def measure_instruments() -> list[Figure]:
    """the cost of instruments on a report request"""
    with own_services():
        seconds = _measure()
    base = median(seconds["none"])
    # Neighbours in time share what else the machine does: the median of their ratios is steadier than that of medians.
    cost = {side: _ratio(seconds[side], seconds["none"]) - 1 for side in SIDES}
    medians = ", ".join(f"{side} {median(values) * 1000:.2f} ms" for side, values in seconds.items())
    return [
        Figure(
            "cost of our instruments on a report request",
            "<= 5 %",
            f"{cost['ours']:+.1%} ({cost['ours'] * base * 1e6:+.0f} us; medians of {ROUNDS}: {medians})",
            cost["ours"] <= MOST,
        ),
        Figure(
            "the same with django-prometheus' middlewares, for comparison",
            "-",
            f"{cost['django-prometheus']:+.1%}",
            True,
        ),
    ]


def _ratio(these: list[float], those: list[float]) -> float:
    return median(this / that for this, that in zip(these, those, strict=True))


def _measure() -> dict[str, list[float]]:
    from diagsite.tests.proof import order, wait_until_all_ended
    from diagsite.tests.site import Site, new_database

    address = new_database()
    sites = {
        side: Site(address, concurrency=0, DJANGO_SETTINGS_MODULE=module, **UNLIMITED) for side, module in SIDES.items()
    }
    maker = Site(address, concurrency=4)
    with ExitStack() as stack:
        stack.callback(maker.server.kill)
        maker.start()
        with maker.client() as client:
            ordered = order(client, ["demo-fast", "demo-slow"], questions=5)
            wait_until_all_ended(maker)
        maker.server.kill()
        clients = {}
        for side, site in sites.items():
            stack.callback(site.server.kill)
            site.start()
            clients[side] = stack.enter_context(site.client())
        return _ask_in_turn(clients, f"/api/diagnoses/{ordered.id}/report")


def _ask_in_turn(clients: dict[str, httpx.Client], path: str) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {side: [] for side in clients}
    turns = list(clients)
    for number in range(WARM_UP + ROUNDS):
        random.shuffle(turns)
        for side in turns:
            started = time.perf_counter()
            clients[side].get(path).raise_for_status()
            if number >= WARM_UP:
                seconds[side].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    sys.exit(report("alerts-instruments", [measure_instruments]))
