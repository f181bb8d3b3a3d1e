"""Kill the sender repeatedly while it sends: no alert may be lost, and a kill may repeat at most one message.

A real sender process (`manage.py send_alerts --keep`) on a real PostgreSQL sends to a real HTTP server that responds
slowly; it is killed with `kill -9` at a random moment of a send, and restarted.

    python -m bench.alerts.kills [--alerts N] [--kills N] [--seed N]
"""

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass

from bench.harness import BenchmarkResult, run_measurements
from testing.services import running_services

SENDER_LEASE_SECONDS = "1"
MAX_RESPONSE_SECONDS = 0.03

FIRE_ALERTS_SCRIPT = """
from monitoring.alerts.lifecycle import fire_alert
for number in range({alerts}):
    fire_alert(fingerprint=f"bench:{{number}}", title=f"alert {{number}}", severity="error")
"""


@dataclass(frozen=True)
class KillReport:
    """Numbers of alerts, of messages lost and repeated, and of kills during a send."""

    alerts: int
    lost: int
    repeats: int
    kills: int
    seconds: float


def kill_sender_repeatedly(*, alerts: int, kills: int, seed: int) -> KillReport:
    """Run it on a new database of the running PostgreSQL (`testing.services`)."""
    from testing.data.alert_channels import create_default_channel
    from testing.fakes.chat_bots import FakeChatBots
    from testing.site import SiteProcess, create_database, run_management_command

    rng = random.Random(seed)
    address = create_database()
    started = time.monotonic()
    with FakeChatBots(per_minute=10**9) as robots:
        robots.get_response_delay = lambda: rng.uniform(0, MAX_RESPONSE_SECONDS)
        create_default_channel(address, "webhook", robots.webhook)
        run_management_command(["shell", "-c", FIRE_ALERTS_SCRIPT.format(alerts=alerts)], address)
        killed = 0
        sender = SiteProcess(["send_alerts", "--keep"], address, ALERT_LEASE_SECONDS=SENDER_LEASE_SECONDS)
        deadline = time.monotonic() + 60 + 10 * kills
        while not _has_no_pending_delivery(address) and time.monotonic() < deadline:
            sender.start()
            if killed < kills:
                seen = len(robots.received)
                share = max(1, 2 * (alerts - seen) // (kills - killed + 1))
                _wait_for_messages(robots.received, seen + rng.randint(1, share), deadline)
                time.sleep(rng.uniform(0, MAX_RESPONSE_SECONDS))
                sender.kill()
                killed += 1
            else:
                while not _has_no_pending_delivery(address) and time.monotonic() < deadline:
                    time.sleep(0.1)
                sender.kill()
        arrived = Counter(str(body["number"]) for body in robots.received)
    lost = alerts - len(arrived)
    return KillReport(alerts, lost, arrived.total() - len(arrived), killed, time.monotonic() - started)


def _wait_for_messages(received: list[dict[str, object]], count: int, deadline: float) -> None:
    while len(received) < count and time.monotonic() < deadline:
        time.sleep(0.001)


def _has_no_pending_delivery(address: str) -> bool:
    import psycopg

    with psycopg.connect(address) as connection:
        row = connection.execute("SELECT count(*) FROM monitoring_delivery WHERE state = 'waiting'").fetchone()
    return row is not None and row[0] == 0


def check_sender_kills(alerts: int = 200, kills: int = 45, seed: int = 1) -> list[BenchmarkResult]:
    """Measure lost and repeated messages under kill -9 of the sender."""
    report = kill_sender_repeatedly(alerts=alerts, kills=kills, seed=seed)
    conditions = f"{report.kills} kills, {report.seconds:.0f} s"
    return [
        BenchmarkResult(
            f"alerts lost of {report.alerts} while the sender is killed with kill -9",
            "0, with at least 40 kills",
            f"{report.lost} ({conditions})",
            report.lost == 0 and report.kills >= 40,
        ),
        BenchmarkResult(
            "messages repeated per kill",
            "<= 1",
            f"{report.repeats / max(1, report.kills):.2f} ({report.repeats} in {report.kills} kills)",
            report.repeats <= report.kills,
        ),
    ]


def main() -> int:
    """Run the bench by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=200)
    parser.add_argument("--kills", type=int, default=45)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    with running_services():
        return run_measurements(
            "alerts-kills", [("kills", lambda: check_sender_kills(options.alerts, options.kills, options.seed))]
        )


if __name__ == "__main__":
    sys.exit(main())
