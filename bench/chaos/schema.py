"""schemathesis over the OpenAPI schema of a running site: every check, right and wrong requests, and chains of them."""

import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.chaos.cluster import Cluster, running_cluster
from bench.chaos.workload import add_fake_platforms, build_normal_behaviours
from bench.harness import BenchmarkResult
from testing.fake_platform import FakePlatform
from testing.fake_wechat import FakeWeChat

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
TOKEN_ENDING_PATHS = "^/api/(session|account)"
# Only the site knows whether a platform exists, a code is good, two names are one brand: a 422 with `fields` says so.
SCHEMATHESIS_CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]
"""


def run_schemathesis(rng: random.Random, directory: Path, *, examples: int) -> list[BenchmarkResult]:
    """Requests made from the schema, good and bad; apart those that end the token of all others."""
    started = time.monotonic()
    with FakePlatform() as fake, FakeWeChat() as wechat:
        variables = {
            "MAX_UNFINISHED_PER_OWNER": "0",
            "WECHAT_API_BASE": wechat.url,
            "WECHAT_APP_ID": "wx-of-a-bench",
            "WECHAT_APP_SECRET": "secret-of-a-bench",
        }
        with running_cluster(workers=0, variables=variables) as cluster:
            add_fake_platforms(cluster.site, fake, build_normal_behaviours(rng))
            pid = cluster.server.process.pid
            parts = [
                _run_once(cluster, rng, directory, ["--exclude-path-regex", TOKEN_ENDING_PATHS], examples),
                _run_once(cluster, rng, directory, ["--include-path-regex", TOKEN_ENDING_PATHS], examples),
            ]
            is_same = cluster.server.process.is_running and cluster.server.process.pid == pid
    failures = Counter[str]()
    cases = sum(part["cases"] for part in parts)
    for part in parts:
        failures.update(part["failures"])
    failures_text = ", ".join(f"{name} {count}x" for name, count in failures.most_common(5))
    is_held = is_same and not failures and cases > 0 and all(part["code"] == 0 for part in parts)
    seconds = time.monotonic() - started
    details = f": {failures_text}" if failures_text else ""
    measured = f"{sum(failures.values())} failures in {cases:,} requests{details}; {seconds:.0f} s"
    return [BenchmarkResult("schemathesis over the API, all checks", "0 failures, the same process", measured, is_held)]


def _run_once(cluster: Cluster, rng: random.Random, directory: Path, which: list[str], examples: int) -> dict[str, Any]:
    report, configuration = directory / "schemathesis.json", directory / "schemathesis.toml"
    report.unlink(missing_ok=True)
    configuration.write_text(SCHEMATHESIS_CONFIG)
    command = [
        *(
            str(SCHEMATHESIS),
            "--config-file",
            str(configuration),
            "run",
            f"{cluster.site.url}/api/openapi.json",
            *which,
        ),
        *("--checks", "all", "--mode", "all", "--max-examples", str(examples), "--seed", str(rng.randrange(2**31))),
        *("--continue-on-failure", "--request-timeout", "60", "--suppress-health-check", "all", "--no-color"),
        *("--header", f"Authorization: Bearer {cluster.site.token()}", "--report-json-path", str(report)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    log = Path(__file__).parents[1] / "results" / "schemathesis.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("a") as file:
        file.write(done.stdout + done.stderr)
    return {"code": done.returncode, **parse_summary(done.stdout)}


def parse_summary(output: str) -> dict[str, Any]:
    """{cases, failures: {what: how often}} of a summary as schemathesis prints it."""
    failures: Counter[str] = Counter()
    cases = 0
    is_list = False
    for line in output.splitlines():
        is_list = line.startswith("Failures:") or (is_list and line.startswith("  "))
        if is_list and ": " in line:
            what, _, count = line.strip(" ❌").rpartition(": ")
            failures[what] = int(count)
        generated = re.match(r"\s*([\d,]+) generated", line)
        if generated:
            cases = int(generated[1].replace(",", ""))
    return {"cases": cases, "failures": failures}
