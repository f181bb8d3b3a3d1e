"""A site for the JavaScript tests: reads commands as lines of JSON, replies in JSON, ends with its input.

python miniprogram/tests/support/site.py '{"HEARTBEAT_PING_TIMEOUT_SECONDS": "0.5"}' [nginx]
-> {"port": 40123}; with nginx (https://localhost, the shipped configuration): {"port": 40123, "certificate": PATH}
{"do": "behave", "after": [0.1, 0.3]}   calls to platforms are answered after a random time in this range
{"do": "answer", "text": "..."}         calls to platforms are answered with this text
{"do": "hold"}   {"do": "release"}      calls to the platform `last` are held
{"do": "kill"}   {"do": "start"}        the server is killed, and started again
{"do": "revise", "stream": "..."}       the log of a stream gets a new epoch
"""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.proxied_site import running_proxied_site
from testing.services import execute_sql, get_run_directory, running_redis, running_services
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


@contextmanager
def _running_site(extra: dict[str, str], fake: FakePlatform) -> Iterator[tuple[Site, dict[str, Any]]]:
    """Yield the site and how it is reached."""
    site = Site(create_database(), concurrency=20, **{**PLATFORM_KEY_SETTINGS, **UNLIMITED_SETTINGS, **extra})
    for slug in SITE_PLATFORMS:
        site.add_platform(slug, fake.base_url, concurrency=50)
    try:
        site.start()
        yield site, {"port": site.port}
    finally:
        site.server.kill()


@contextmanager
def _running_behind_nginx(extra: dict[str, str], fake: FakePlatform) -> Iterator[tuple[Site, dict[str, Any]]]:
    """Yield the database's site, which is not started, and how nginx is reached."""
    directory = get_run_directory() / "nginx"
    directory.mkdir()
    site = Site(create_database())
    for slug in SITE_PLATFORMS:
        site.add_platform(slug, fake.base_url, concurrency=50)
    with running_redis() as redis, running_proxied_site(directory, site.address, redis.url, **extra) as proxied:
        yield site, {"port": proxied.port, "certificate": str(proxied.certificate)}


def main() -> None:
    """Serve until the input ends."""
    extra = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    run = _running_behind_nginx if sys.argv[2:] == ["nginx"] else _running_site
    with running_services(), FakePlatform() as fake, run(extra, fake) as (site, address):
        _write_reply(address)
        for line in sys.stdin:
            _execute_command(json.loads(line), site, fake)
            _write_reply({})


if __name__ == "__main__":
    main()
