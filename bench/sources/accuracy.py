"""Cited pages as read from replies, against what the fakes and the demo platforms have cited.

python -m bench.sources.accuracy [--questions N]
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import django

from bench.harness import BenchmarkResult, run_measurements

QUESTIONS = 40
KIMI = "demo-kimi-search"  # without citations of its own: its text names the first page of each part
_DEMO_URL = "http://testserver/demo/v1"

CitedPage = tuple[str, str]  # reply, address


def check_traps() -> BenchmarkResult:
    """Read every documented reply of the fakes that names sources."""
    from diagnosis.choices import Ternary
    from diagnosis.platforms.protocols.base import CallProfile, StepResponse
    from testing.fakes.protocols.all_traps import ALL_TRAPS
    from testing.fakes.protocols.trap import QUESTION, Expected

    expected, found = set[CitedPage](), set[CitedPage]()
    for trap in ALL_TRAPS:
        if isinstance(trap.expected, Expected) and trap.expected.sources:
            expected |= {(str(trap), url) for url, _origin, cited in trap.expected.sources if cited == Ternary.YES}
            profile = CallProfile(_DEMO_URL, "m-1", trap.surface, trap.thinking, search_options=trap.search_options)
            responses = [StepResponse(canned.status, canned.body, canned.headers) for canned in trap.responses]
            cited_pages = _read_cited_pages(trap.protocol, profile, QUESTION, partial(_play, responses))
            found |= {(str(trap), url) for url in cited_pages}
    return _build_result("cited pages of the fakes' replies", expected, found)


def _play(responses: list[Any], _request: Any) -> Any:
    return responses.pop(0)


def check_demo(question_count: int) -> BenchmarkResult:
    """Ask every demo platform that searches, and read its replies."""
    from diagnosis.platforms.demo.answers import compose_answer
    from diagnosis.platforms.protocols.base import CallProfile
    from diagnosis.platforms.seed import DEMO_SEARCH_PLATFORMS

    expected, found = set[CitedPage](), set[CitedPage]()
    for seeded in DEMO_SEARCH_PLATFORMS:
        profile = CallProfile(_DEMO_URL, seeded.model, seeded.surface, seeded.thinking)
        for number in range(question_count):
            question, reply = f"第 {number} 问：哪个手冲壶好？", f"{seeded.pk} {number}"
            answer = compose_answer(seeded.model, question, 0, searches=True)
            cited_places = [places[:1] if seeded.pk == KIMI else places for _part, places in answer.segments]
            expected |= {(reply, answer.results[place].url) for places in cited_places for place in places}
            found |= {(reply, url) for url in _read_cited_pages(seeded.protocol, profile, question, _ask_demo)}
    return _build_result(
        f"cited pages of {len(DEMO_SEARCH_PLATFORMS)} demo platforms, {question_count} questions each", expected, found
    )


def _read_cited_pages(protocol: str, profile: Any, question: str, respond: Callable[[Any], Any]) -> Iterator[str]:
    from diagnosis.choices import Ternary
    from diagnosis.platforms.protocols.registry import PROTOCOLS

    steps = PROTOCOLS[protocol].run(profile, question)
    try:
        request = next(steps)
        while True:
            request = steps.send(respond(request))
    except StopIteration as stop:
        return (source.url for source in stop.value.sources if source.cited == Ternary.YES)


def _ask_demo(request: Any) -> Any:
    from django.test import Client

    from diagnosis.platforms.protocols.base import StepResponse

    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
    path = urlsplit(request.url).path
    client = Client(headers=headers)
    response = (
        client.get(path) if request.body is None else client.post(path, request.body, content_type="application/json")
    )
    return StepResponse(response.status_code, response.json(), {})


def _build_result(figure: str, expected: set[CitedPage], found: set[CitedPage]) -> BenchmarkResult:
    right = len(expected & found)
    precision, recall = right / max(1, len(found)), right / max(1, len(expected))
    return BenchmarkResult(
        figure,
        "precision and recall 1.0",
        f"{precision:.3f} and {recall:.3f} of {len(expected):,} cited pages",
        precision == recall == 1 and bool(expected),
    )


def main() -> int:
    """Run the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=QUESTIONS, help=f"for each platform (default {QUESTIONS})")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    django.setup()  # nothing here needs the database
    from django.test import override_settings

    with override_settings(DEMO=True, DEMO_LATENCY=0.0, ALLOWED_HOSTS=["testserver"]):
        return run_measurements(
            "sources-accuracy", [("fakes", check_traps), ("demo platforms", lambda: check_demo(options.questions))]
        )


if __name__ == "__main__":
    sys.exit(main())
