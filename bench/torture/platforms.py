"""Platforms that are slow, half-open, reset, break off or drip, and a DNS that answers late, wrongly or not at all."""

import random
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Figure
from bench.torture.faults import Attack
from bench.torture.processes import Program
from bench.torture.scene import STEADY, Scene, Size, furnish, moderate
from bench.torture.stage import Ground, NotRun, Stage, stage
from diagsite.tests.fake_platform import (
    Behaviour,
    Exchange,
    FakePlatform,
    answer,
    drip,
    half_a_body,
    hold,
    reset_connection,
)
from diagsite.tests.site import Process, Site

TIMEOUT = {"CALL_TIMEOUT_SECONDS": "3", **STEADY}
SHARE = 0.35  # of the calls that go wrong; three attempts make most of them good
BAD: dict[str, Callable[[], Behaviour]] = {
    "slow": lambda: answer(after=20),
    "half-open": hold,
    "reset": reset_connection,
    "cut": half_a_body,
    "drip": lambda: drip(every=0.2),
}
HOST = "platform.torture.test"
DNS_ADDRESS = "127.0.0.153"


def sometimes(bad: Behaviour, rng: random.Random, seen: Counter[str], name: str) -> Behaviour:
    """Bad for a share of the calls, good for the others."""

    async def behave(exchange: Exchange) -> None:
        is_bad = rng.random() < SHARE
        seen[name] += is_bad
        await (bad if is_bad else answer(after=rng.uniform(0.05, 0.3)))(exchange)

    return behave


def misbehaving_platforms(attack: Attack, _: Ground, rng: random.Random, size: Size) -> Figure:
    """Five platforms, each bad in its own way every third time."""
    started, seen = time.monotonic(), Counter[str]()
    with FakePlatform() as fake, stage(variables=TIMEOUT) as on:
        scene = _scene(on, fake, rng, size, tuple(BAD))
        furnish(on.site, fake, {name: sometimes(make(), rng, seen, name) for name, make in BAD.items()}, 8)
        with scene.blow():
            scene.begin()
        found = scene.close(attack.title, time.monotonic() - started)
    told = ", ".join(f"{name} {count}x" for name, count in sorted(seen.items()))
    is_held = found.is_held and all(seen[name] for name in BAD)
    return Figure(found.figure, found.must_be, f"{found.measured}; {told}", is_held)


def _scene(on: Stage, fake: FakePlatform, rng: random.Random, size: Size, platforms: tuple[str, ...]) -> Scene:
    return Scene(
        on.site,
        fake,
        rng,
        Size(size.diagnoses, size.clients, questions=3, times=size.times),
        may_end=frozenset({"completed", "partial", "failed"}),
        platforms=platforms,
        are_calls_counted=False,
    )


class BadDns:
    """A name server that knows one address, and tells it at once, late, not at all, or says something else."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.seen = rng, Counter[str]()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((DNS_ADDRESS, 53))
        except OSError as error:
            raise NotRun(f"port 53 of {DNS_ADDRESS} cannot be had: {error}") from error
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                query, whence = self._socket.recvfrom(2048)
            except OSError:
                return
            kind = self.rng.choices(
                ["at once", "late", "silent", "refused", "unknown", "nonsense"], [8, 3, 1, 1, 1, 1]
            )[0]
            self.seen[kind] += 1
            data = reply_to(query, kind)
            if data:
                wait = self.rng.uniform(0.5, 2.5) if kind == "late" else 0.0
                threading.Timer(wait, self._send, [data, whence]).start()

    def _send(self, data: bytes, whence: tuple[str, int]) -> None:
        try:
            self._socket.sendto(data, whence)
        except OSError:
            return

    def close(self) -> None:
        """Stop answering."""
        self._socket.close()


def reply_to(query: bytes, kind: str) -> bytes:
    """The bytes of an answer to a question for one name; nothing for silence."""
    if kind == "silent":
        return b""
    if kind == "nonsense":
        return query[:2] + b"\xff" * 20
    end = query.index(b"\0", 12) + 5
    question, is_a = query[12:end], query[end - 4 : end - 2] == b"\0\1"
    code = {"refused": 2, "unknown": 3}.get(kind, 0)
    has_answer = is_a and not code
    head = query[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + (b"\0\1" if has_answer else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if has_answer else b""
    return head + question + record


@contextmanager
def bad_dns(rng: random.Random) -> Iterator[BadDns]:
    """It, closed at the end."""
    server = BadDns(rng)
    try:
        yield server
    finally:
        server.close()


def misbehaving_dns(attack: Attack, where: Ground, rng: random.Random, size: Size) -> Figure:
    """A worker that sees another /etc/resolv.conf than the machine, with a platform by name and one by address."""
    started = time.monotonic()
    prefix = _with_resolver(where.directory)
    with bad_dns(rng) as dns, FakePlatform() as fake:

        def worker(site: Site) -> Process:
            return Program(prefix, ["procrastinate", "worker"], site.address, **site.environment)

        with stage(workers=[worker], variables={"OUTGOING_HOSTS": f"127.0.0.1,{HOST}"} | TIMEOUT) as on:
            furnish(on.site, fake, {"fast": moderate(rng)["fast"]})
            fake.behave(moderate(rng)["fast"], model="named")
            on.site.add_platform("named", fake.base_url.replace("127.0.0.1", HOST), concurrency=8)
            scene = _scene(on, fake, rng, size, ("fast", "named"))
            with scene.blow():
                scene.begin()
            found = scene.close(attack.title, time.monotonic() - started)
            failed = "SELECT count(*) FROM diagnosis_answer WHERE platform_id = 'fast' AND state <> 'valid'"
            ((harmed,),) = on.site.query(failed)
    told = ", ".join(f"{name} {count}x" for name, count in sorted(dns.seen.items()))
    is_held = found.is_held and len(dns.seen) > 3 and harmed == 0
    measured = f"{found.measured}; DNS {told}; {harmed} answers of the other platform failed"
    return Figure(found.figure, f"{found.must_be}; the other platform unharmed", measured, is_held)


def _with_resolver(directory: Path) -> list[str]:
    """What starts a program in a mount namespace of its own, where names are asked of `BadDns`."""
    if shutil.which("unshare") is None:
        raise NotRun("unshare is not installed")
    resolver = directory / "resolv.conf"
    resolver.write_text(f"nameserver {DNS_ADDRESS}\noptions timeout:2 attempts:2\n")
    prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {resolver} /etc/resolv.conf && exec "$@"', "sh"]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if tried.returncode:
        raise NotRun(f"no mount namespace: {tried.stderr.strip()}")
    return prefix
