"""schemathesis over the OpenAPI schema of a running site: all checks, valid and invalid requests, stateful chains."""

import random
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.cluster import Cluster, running_cluster
from bench.chaos.scenario import ScenarioContext
from bench.chaos.workload import add_fake_platforms, build_normal_behaviours
from bench.harness import RESULTS_DIRECTORY, BenchmarkResult
from testing.fakes.platform import FakePlatform
from testing.fakes.wechat import FakeWeChat

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
TOKEN_ENDING_PATHS = "^/api/(session|account)"
# Only the site knows whether a platform exists, a code is valid, two names denote one brand: it answers 422.
SCHEMATHESIS_CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]
"""


@dataclass
class SchemathesisSummary:
    """Requests made, failures by check."""

    cases: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    exit_code: int = 0


def run_schemathesis(context: ScenarioContext) -> BenchmarkResult:
    """Send generated requests; those that end the token of all others in a run of their own."""
    began = time.monotonic()
    with FakePlatform() as fake, FakeWeChat() as wechat:
        variables = {
            "MAX_UNFINISHED_PER_OWNER": "0",
            "WECHAT_API_BASE": wechat.url,
            "WECHAT_APP_ID": "wx-of-a-bench",
            "WECHAT_APP_SECRET": "secret-of-a-bench",
        }
        with running_cluster(workers=0, variables=variables) as cluster:
            add_fake_platforms(cluster.site, fake, build_normal_behaviours(context.rng))
            pid = cluster.server.process.pid
            parts = [
                _run_once(cluster, context.rng, context.environment.directory, selection, context.size.examples)
                for selection in (
                    ["--exclude-path-regex", TOKEN_ENDING_PATHS],
                    ["--include-path-regex", TOKEN_ENDING_PATHS],
                )
            ]
            is_same = cluster.server.process.is_running and cluster.server.process.pid == pid
    cases, failures = sum(part.cases for part in parts), sum((part.failures for part in parts), Counter[str]())
    failures_text = ", ".join(f"{name} {count}x" for name, count in failures.most_common(5))
    measured = f"{failures.total()} failures in {cases:,} requests{f': {failures_text}' if failures_text else ''}"
    return BenchmarkResult(
        "schemathesis over the API, all checks",
        "0 failures, the same process",
        f"{measured}; {time.monotonic() - began:.0f} s",
        is_same and not failures and cases > 0 and all(part.exit_code == 0 for part in parts),
    )


def _run_once(
    cluster: Cluster, rng: random.Random, directory: Path, selection: list[str], examples: int
) -> SchemathesisSummary:
    report, configuration = directory / "schemathesis.json", directory / "schemathesis.toml"
    report.unlink(missing_ok=True)
    configuration.write_text(SCHEMATHESIS_CONFIG)
    command = [
        *(str(SCHEMATHESIS), "--config-file", str(configuration), "run"),
        *(f"{cluster.site.url}/api/openapi.json", *selection),
        *("--checks", "all", "--mode", "all", "--max-examples", str(examples), "--seed", str(rng.randrange(2**31))),
        *("--continue-on-failure", "--request-timeout", "60", "--suppress-health-check", "all", "--no-color"),
        *("--header", f"Authorization: Bearer {cluster.site.token()}", "--report-json-path", str(report)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    RESULTS_DIRECTORY.mkdir(exist_ok=True)
    with (RESULTS_DIRECTORY / "schemathesis.log").open("a") as log:
        log.write(done.stdout + done.stderr)
    summary = parse_summary(done.stdout)
    summary.exit_code = done.returncode
    return summary


def parse_summary(output: str) -> SchemathesisSummary:
    """Parse the summary that schemathesis prints."""
    summary, is_failure_list = SchemathesisSummary(), False
    for line in output.splitlines():
        is_failure_list = line.startswith("Failures:") or (is_failure_list and line.startswith("  "))
        if is_failure_list and ": " in line:
            check, _, count = line.strip(" ❌").rpartition(": ")
            summary.failures[check] = int(count)
        if generated := re.match(r"\s*([\d,]+) generated", line):
            summary.cases = int(generated[1].replace(",", ""))
    return summary
