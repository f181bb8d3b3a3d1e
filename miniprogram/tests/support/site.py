"""A site for the JavaScript tests: reads commands as lines of JSON, replies in JSON, ends with its input.

python miniprogram/tests/support/site.py '{"HEARTBEAT_PING_TIMEOUT_SECONDS": "0.5"}'
-> {"port": 40123}
{"do": "behave", "after": [0.1, 0.3]}   calls to platforms are answered after a random time in this range
{"do": "answer", "text": "..."}         calls to platforms are answered with this text
{"do": "hold"}   {"do": "release"}      calls to the platform `last` are held
{"do": "kill"}   {"do": "start"}        the server is killed, and started again
{"do": "revise", "stream": "..."}       the log of a stream gets a new epoch
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.services import execute_sql, running_services
from testing.site import PLATFORM_KEY_SETTINGS, UNLIMITED_SETTINGS, Site, create_database

SITE_PLATFORMS = ("p1", "p2", "p3", "p4", "last")


def _execute_command(command: dict[str, Any], site: Site, fake: FakePlatform) -> None:
    match command["do"]:
        case "behave":
            low, high = command["after"]
            fake.set_behaviour(respond_with_answer(delay_seconds=lambda: random.uniform(low, high)))
        case "answer":
            fake.set_behaviour(respond_with_answer(command["text"]))
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


def _write_reply(reply: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the input ends."""
    extra = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    with running_services(), FakePlatform() as fake:
        site = Site(create_database(), concurrency=20, **{**PLATFORM_KEY_SETTINGS, **UNLIMITED_SETTINGS, **extra})
        try:
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
