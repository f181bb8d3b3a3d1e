"""Clients that follow diagnoses through faults, and what each has missed, received twice or out of order."""

import itertools
import operator
import threading
import time
from collections import Counter
from dataclasses import dataclass

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from testing.clients.stream_client import StreamClient
from testing.invariants import Event, StartedDiagnosis
from testing.site import Site

RECONNECT_DELAY_SECONDS = 0.2
UNAVAILABLE_STATUSES = (502, 503, 504)


@dataclass
class ChaosClient(StreamClient):
    """A stream client that reconnects while the site is unavailable."""

    shared_token: str = ""
    uses_polling: bool = False
    failure: str = ""

    def __post_init__(self) -> None:
        self.token = self.shared_token

    def follow_to_the_end(self, seconds: float) -> None:
        """Follow until the event `complete` or the timeout; an unexpected error is stored in `failure`."""
        until = time.monotonic() + seconds
        try:
            while not self.is_complete and (left := until - time.monotonic()) > 0:
                self._follow_once(left)
                time.sleep(RECONNECT_DELAY_SECONDS)
        except Exception as error:  # noqa: BLE001 - reported in the table
            self.failure = repr(error)[:300]

    def _follow_once(self, left: float) -> None:
        try:
            if self.uses_polling:
                self.poll(min(left, 20.0))
            else:
                self.follow_socket(left)
        except (InvalidHandshake, ConnectionClosed):  # lost during the handshake
            pass
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in UNAVAILABLE_STATUSES:
                raise

    def find_errors(self, log: list[Event]) -> list[str]:
        """Compare the received events with the log, and describe the differences."""
        received, expected = [seq for seq, *_ in self.events], [seq for seq, *_ in log]
        counts = {
            "lost": len(set(expected) - set(received)),
            "repeated": sum(count > 1 for count in Counter(received).values()),
            "out of order": sum(second < first for first, second in itertools.pairwise(received)),
            "invented": len(set(received) - set(expected)),
            "changed": sum(map(operator.ne, self.events, log)) if received == expected else 0,
        }
        errors = [self.failure] if self.failure else []
        return errors + [f"{count} events {kind}" for kind, count in counts.items() if count]


@dataclass
class ClientGroup:
    """Clients that follow, each in a thread."""

    clients: list[ChaosClient]
    threads: list[threading.Thread]
    deadline: float

    def wait_until_done(self) -> None:
        """Return once each client has the last event or has timed out."""
        for thread in self.threads:
            thread.join(max(0.1, self.deadline - time.monotonic()) + 25)


def start_clients(site: Site, started: list[StartedDiagnosis], token: str, count: int, seconds: float) -> ClientGroup:
    """Start so many clients, distributed over the diagnoses; every fourth polls, the others use a socket."""
    clients = [
        ChaosClient(site, started[number % len(started)], shared_token=token, uses_polling=number % 4 == 3)
        for number in range(count)
    ]
    threads = [threading.Thread(target=client.follow_to_the_end, args=[seconds], daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    return ClientGroup(clients, threads, time.monotonic() + seconds)
