"""Clients that follow through a fault, and what each of them has missed, got twice, or got out of order at its end."""

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from testing.invariants import StartedDiagnosis
from testing.site import Site
from testing.stream_client import StreamClient

RECONNECT_DELAY_SECONDS = 0.2
UNAVAILABLE_STATUSES = (502, 503, 504)


@dataclass
class ChaosClient(StreamClient):
    """A follower for whom a site that is away, or says so, is no failure: it comes back."""

    shared_token: str = ""
    uses_polling: bool = False
    failure: str = ""

    def __post_init__(self) -> None:
        self.token = self.shared_token

    def follow_to_the_end(self, seconds: float) -> None:
        """Follow until the last event has come, for so long at most; what goes wrong is kept in `failure`."""
        until = time.monotonic() + seconds
        try:
            while not self.is_complete and (left := until - time.monotonic()) > 0:
                self._follow_once(left)
                time.sleep(RECONNECT_DELAY_SECONDS)
        except Exception as error:  # noqa: BLE001 - told in the table, of whatever kind it is
            self.failure = repr(error)[:300]

    def _follow_once(self, left: float) -> None:
        try:
            if self.uses_polling:
                self.poll(min(left, 20.0))
            else:
                self.follow_socket(left)
        except (InvalidHandshake, ConnectionClosed):  # cut off before it began
            pass
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in UNAVAILABLE_STATUSES:
                raise

    def find_errors(self, log: list[tuple[int, str, dict[str, object]]]) -> list[str]:
        """What is wrong with what it has, against the log."""
        got, wanted = [seq for seq, *_ in self.events], [seq for seq, *_ in log]
        times = Counter(got)
        found = [self.failure] if self.failure else []
        lost = set(wanted) - set(got)
        repeated = [seq for seq in times if times[seq] > 1]
        kinds = {
            "lost": len(lost),
            "repeated": len(repeated),
            "out of order": sum(second < first for first, second in itertools.pairwise(got)),
            "invented": len(set(got) - set(wanted)),
            "changed": sum(self.events[place] != log[place] for place in range(len(log))) if got == wanted else 0,
        }
        return found + [f"{count} events {kind}" for kind, count in kinds.items() if count]


def start_clients(
    site: Site, ordered: list[StartedDiagnosis], token: str, clients: int, seconds: float
) -> "ClientGroup":
    """So many clients, evenly over the diagnoses; every fourth polls, the others have a socket."""
    watchers = [
        ChaosClient(site, ordered[number % len(ordered)], shared_token=token, uses_polling=number % 4 == 3)
        for number in range(clients)
    ]
    threads = [threading.Thread(target=one.follow_to_the_end, args=[seconds], daemon=True) for one in watchers]
    for thread in threads:
        thread.start()
    return ClientGroup(watchers, threads, time.monotonic() + seconds)


@dataclass
class ClientGroup:
    """Clients at work."""

    clients: list[ChaosClient]
    threads: list[threading.Thread]
    deadline: float

    def wait_until_done(self) -> None:
        """Until each has the last event or has given up."""
        for thread in self.threads:
            thread.join(max(0.1, self.deadline - time.monotonic()) + 25)
