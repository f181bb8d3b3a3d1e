"""schemathesis over the OpenAPI schema of a running site: every check, right and wrong requests, and chains of them."""

import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.torture.scene import furnish, moderate
from bench.torture.stage import Stage, stage
from diagsite.tests.fake_platform import FakePlatform
from diagsite.tests.fake_wechat import FakeWeChat

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
ENDS_THE_TOKEN = "^/api/(session|account)"
# Only the site knows whether a platform exists, a code is good, two names are one brand: a 422 with `fields` says so.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]
"""


def attack_schema(rng: random.Random, directory: Path, *, examples: int) -> list[Figure]:
    """Requests made from the schema, good and bad; apart those that end the token of all others."""
    started = time.monotonic()
    with FakePlatform() as fake, FakeWeChat() as wechat:
        variables = {
            "MAX_UNFINISHED_PER_OWNER": "0",
            "WECHAT_API_BASE": wechat.url,
            "WECHAT_APP_ID": "wx-of-a-bench",
            "WECHAT_APP_SECRET": "secret-of-a-bench",
        }
        with stage(workers=0, variables=variables) as on:
            furnish(on.site, fake, moderate(rng))
            pid = on.server.process.pid
            parts = [
                _run(on, rng, directory, ["--exclude-path-regex", ENDS_THE_TOKEN], examples),
                _run(on, rng, directory, ["--include-path-regex", ENDS_THE_TOKEN], examples),
            ]
            is_same = on.server.process.is_running and on.server.process.pid == pid
    failures = Counter[str]()
    cases = sum(part["cases"] for part in parts)
    for part in parts:
        failures.update(part["failures"])
    told = ", ".join(f"{name} {count}x" for name, count in failures.most_common(5))
    is_held = is_same and not failures and cases > 0 and all(part["code"] == 0 for part in parts)
    seconds = time.monotonic() - started
    measured = f"{sum(failures.values())} failures in {cases:,} requests{': ' if told else ''}{told}; {seconds:.0f} s"
    return [Figure("schemathesis over the API, all checks", "0 failures, the same process", measured, is_held)]


def _run(on: Stage, rng: random.Random, directory: Path, which: list[str], examples: int) -> dict[str, Any]:
    report, configuration = directory / "schemathesis.json", directory / "schemathesis.toml"
    report.unlink(missing_ok=True)
    configuration.write_text(CONFIGURATION)
    command = [
        *(str(SCHEMATHESIS), "--config-file", str(configuration), "run", f"{on.site.url}/api/openapi.json", *which),
        *("--checks", "all", "--mode", "all", "--max-examples", str(examples), "--seed", str(rng.randrange(2**31))),
        *("--continue-on-failure", "--request-timeout", "60", "--suppress-health-check", "all", "--no-color"),
        *("--header", f"Authorization: Bearer {on.site.token()}", "--report-json-path", str(report)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    log = Path(__file__).parents[1] / "results" / "schemathesis.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("a") as file:
        file.write(done.stdout + done.stderr)
    return {"code": done.returncode, **counts_in(done.stdout)}


def counts_in(said: str) -> dict[str, Any]:
    """{cases, failures: {what: how often}} of a summary as schemathesis prints it."""
    failures: Counter[str] = Counter()
    cases = 0
    is_list = False
    for line in said.splitlines():
        is_list = line.startswith("Failures:") or (is_list and line.startswith("  "))
        if is_list and ": " in line:
            what, _, count = line.strip(" ❌").rpartition(": ")
            failures[what] = int(count)
        generated = re.match(r"\s*([\d,]+) generated", line)
        if generated:
            cases = int(generated[1].replace(",", ""))
    return {"cases": cases, "failures": failures}
