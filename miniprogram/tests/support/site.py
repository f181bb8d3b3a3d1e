"""A real site for the JavaScript tests: takes commands as lines of JSON, answers in kind, ends with its input.

python miniprogram/tests/support/site.py '{"PING_SECONDS": "0.5"}'
-> {"port": 40123}
{"do": "behave", "after": [0.1, 0.3]}   every call to a platform is answered after so many seconds
{"do": "hold"}   {"do": "release"}      calls to the platform `last` wait
{"do": "kill"}   {"do": "start"}        the server, with -9 and again
{"do": "revise", "stream": "..."}       the log of a stream begins a new life
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from diagsite.tests import services
from diagsite.tests.fake_platform import FakePlatform, answer, hold
from diagsite.tests.services import execute
from diagsite.tests.site import Site, new_database

PLATFORMS = ("p1", "p2", "p3", "p4", "last")
# Every client here comes from one address.
NO_LIMITS = dict.fromkeys(
    ("STARTS_PER_MINUTE", "SIGN_INS_PER_MINUTE", "CALLS_PER_MINUTE", "ADDRESS_CALLS_PER_MINUTE"), "1000000"
)


def _obey(order: dict[str, Any], site: Site, fake: FakePlatform) -> None:
    match order["do"]:
        case "behave":
            low, high = order["after"]
            fake.behave(answer(after=lambda: random.uniform(low, high)))
        case "hold":
            fake.behave(hold(), model="last")
            fake.hold_again()
        case "release":
            fake.release()
        case "kill":
            site.server.kill()
        case "start":
            site.start()
        case "revise":
            statement = "UPDATE progress_stream SET epoch = substr(md5(random()::text), 1, 12) WHERE id = %s"
            execute(site.address, statement, order["stream"])
        case unknown:
            raise ValueError(unknown)


def _say(answer_: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer_) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the input ends."""
    extra = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    try:
        _serve({"TEST_KEY": "sk-of-a-test", **NO_LIMITS, **extra})
    finally:
        services.pytest_unconfigure(None)  # type: ignore[arg-type]


def _serve(extra: dict[str, str]) -> None:
    site = Site(new_database(), concurrency=20, **extra)
    try:
        with FakePlatform() as fake:
            for slug in PLATFORMS:
                site.add_platform(slug, fake.base_url, concurrency=50)
            site.start()
            _say({"port": site.port})
            for line in sys.stdin:
                _obey(json.loads(line), site, fake)
                _say({})
    finally:
        site.server.kill()


if __name__ == "__main__":
    main()
