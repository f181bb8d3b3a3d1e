"""A real site for the JavaScript tests: takes commands as lines of JSON, answers in kind, ends with its input.

python miniprogram/tests/support/site.py '{"HEARTBEAT_PING_TIMEOUT_SECONDS": "0.5"}'
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

from testing import services
from testing.fake_platform import FakePlatform, hold_response, respond_with_answer
from testing.services import execute_sql
from testing.site import Site, create_database

SITE_PLATFORMS = ("p1", "p2", "p3", "p4", "last")
# Every client here comes from one address.
UNLIMITED_SETTINGS = dict.fromkeys(
    ("STARTS_PER_MINUTE", "SIGN_INS_PER_MINUTE", "CALLS_PER_MINUTE", "ADDRESS_CALLS_PER_MINUTE"), "1000000"
)


def _execute_command(command: dict[str, Any], site: Site, fake: FakePlatform) -> None:
    match command["do"]:
        case "behave":
            low, high = command["after"]
            fake.set_behaviour(respond_with_answer(delay_seconds=lambda: random.uniform(low, high)))
        case "hold":
            fake.set_behaviour(hold_response(), model="last")
            fake.hold_new_calls()
        case "release":
            fake.release()
        case "kill":
            site.server.kill()
        case "start":
            site.start()
        case "revise":
            statement = "UPDATE progress_stream SET epoch = substr(md5(random()::text), 1, 12) WHERE id = %s"
            execute_sql(site.address, statement, command["stream"])
        case unknown:
            raise ValueError(unknown)


def _write_reply(answer_: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer_) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the input ends."""
    extra = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    try:
        _serve({"TEST_KEY": "sk-of-a-test", **UNLIMITED_SETTINGS, **extra})
    finally:
        services.pytest_unconfigure(None)  # type: ignore[arg-type]


def _serve(extra: dict[str, str]) -> None:
    site = Site(create_database(), concurrency=20, **extra)
    try:
        with FakePlatform() as fake:
            for slug in SITE_PLATFORMS:
                site.add_platform(slug, fake.base_url, concurrency=50)
            site.start()
            _write_reply({"port": site.port})
            for line in sys.stdin:
                _execute_command(json.loads(line), site, fake)
                _write_reply({})
    finally:
        site.server.kill()


if __name__ == "__main__":
    main()
