"""Eleven platforms that search, 20 questions, 3 repeats, at once in one worker: what the site adds to the calls' time.

python -m bench.sources.overhead [--seconds N]
"""

import argparse
import asyncio
import json
import math
import sys
import time

from bench.environment import running_services_with_redis
from bench.harness import BenchmarkResult, run_measurements
from bench.jobs.environment import running_jobs_environment
from testing.fakes.platform import Behaviour, Exchange, build_completion
from testing.invariants import wait_until_all_ended

PLATFORMS, QUESTIONS, REPEATS, CONCURRENCY = 11, 20, 3, 5
SOURCES_PER_ANSWER = 8
CALL_SECONDS = 5.0  # platforms that search take 5 to 60


def _respond_with_sources(delay_seconds: float) -> Behaviour:
    """Answer after so many seconds in the dialect of 智谱, with sources and marks."""

    results = [
        {"refer": f"ref_{n}", "title": f"标题 {n}", "link": f"https://site{n}.example/{n}", "media": f"站点 {n}"}
        for n in range(1, SOURCES_PER_ANSWER + 1)
    ]
    text = "".join(f"第 {n} 个说法。[ref_{n}]" for n in range(1, SOURCES_PER_ANSWER + 1)) + "山岚不错。" * 60

    async def behave(exchange: Exchange) -> None:
        await asyncio.sleep(delay_seconds)
        completion = build_completion(text, model=exchange.call.model, web_search=results)
        await exchange.respond(200, json.dumps(completion, ensure_ascii=False).encode())

    return behave


def check_overhead(redis_url: str, seconds: float) -> BenchmarkResult:
    """Compare the duration of the diagnosis with that of its calls, five at once per platform."""
    calls = QUESTIONS * REPEATS
    ideal = math.ceil(calls / CONCURRENCY) * seconds
    with running_jobs_environment(redis_url) as bench:
        names = tuple(f"searching-{number}" for number in range(PLATFORMS))
        for name in names:
            bench.site.add_platform(
                name, bench.fake.base_url, concurrency=CONCURRENCY, protocol="zhipu", surface="search", thinking="off"
            )
        bench.fake.set_behaviour(_respond_with_sources(seconds))
        started = bench.request_diagnosis(names, questions=QUESTIONS, repeats=REPEATS)
        time.sleep(ideal)  # polling would take processor time from what is measured
        wait_until_all_ended(bench.site, 300)
        ((took, valid),) = bench.site.query(
            "SELECT extract(epoch FROM finished_at - created_at)::float, valid FROM diagnosis_diagnosis WHERE id = %s",
            [started.id],
        )
        ((sources,),) = bench.site.query(
            "SELECT count(*) FROM diagnosis_source s JOIN diagnosis_answer a ON a.id = s.answer_id"
            " WHERE a.diagnosis_id = %s AND s.cited = 'yes'",
            [started.id],
        )
    share = took / ideal - 1
    expected = PLATFORMS * calls
    return BenchmarkResult(
        f"{PLATFORMS} platforms x {QUESTIONS} questions x {REPEATS} repeats at once, calls of {seconds:g} s, "
        f"over their {ideal:g} s ideal",
        "<= 15 %",
        f"{share:.1%}; {valid} answers, {sources:,} cited sources",
        share <= 0.15 and valid == expected and sources == expected * SOURCES_PER_ANSWER,
    )


def main() -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=CALL_SECONDS, help=f"of a call (default {CALL_SECONDS:g})")
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:
        return run_measurements("sources-overhead", [("overhead", lambda: check_overhead(redis_url, options.seconds))])


if __name__ == "__main__":
    sys.exit(main())
