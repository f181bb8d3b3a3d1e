"""A name server for one worker that answers late, wrongly or not at all."""

import random
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.chaos.cluster import ScenarioUnavailable, running_cluster
from bench.chaos.platforms import TIMEOUT_SETTINGS, run_failing_workload
from bench.chaos.processes import ExternalProcess
from bench.chaos.scenario import ScenarioContext
from bench.chaos.workload import add_fake_platforms, build_normal_behaviours
from bench.harness import BenchmarkResult
from testing.fakes.platform import FakePlatform
from testing.site import Site, SiteProcess

PLATFORM_HOST = "platform.chaos.test"
DNS_ADDRESS = "127.0.0.153"
REPLY_WEIGHTS = {"at once": 8, "late": 3, "silent": 1, "refused": 1, "unknown": 1, "nonsense": 1}


def run_faulty_dns(context: ScenarioContext) -> BenchmarkResult:
    """Give a worker its own /etc/resolv.conf, and call one platform by name and one by address."""
    began = time.monotonic()
    prefix = _build_resolver_prefix(context.environment.directory)

    def make_worker(site: Site) -> SiteProcess:
        return ExternalProcess(["procrastinate", "worker"], site, prefix=prefix)

    variables = {"OUTGOING_HOSTS": f"127.0.0.1,{PLATFORM_HOST}", **TIMEOUT_SETTINGS}
    with (
        running_faulty_dns(context.rng) as reply_counts,
        FakePlatform() as fake,
        running_cluster(workers=[make_worker], variables=variables) as cluster,
    ):
        behaviour = build_normal_behaviours(context.rng)["fast"]
        add_fake_platforms(cluster.site, fake, {"fast": behaviour})
        fake.set_behaviour(behaviour, model="named")
        cluster.site.add_platform("named", fake.base_url.replace("127.0.0.1", PLATFORM_HOST), concurrency=8)
        result = run_failing_workload(context, cluster, fake, ("fast", "named"), began)
        failed = "SELECT count(*) FROM diagnosis_answer WHERE platform_id = 'fast' AND state <> 'valid'"
        ((failed_answers,),) = cluster.site.query(failed)
    counts_text = ", ".join(f"{name} {count}x" for name, count in sorted(reply_counts.items()))
    return BenchmarkResult(
        result.figure,
        f"{result.must_be}; the other platform not affected",
        f"{result.measured}; DNS {counts_text}; {failed_answers} answers of the other platform failed",
        result.is_held and len(reply_counts) > 3 and failed_answers == 0,
    )


@contextmanager
def running_faulty_dns(rng: random.Random) -> Iterator[Counter[str]]:
    """Run the block with a name server for one address; yield the number of replies by kind.

    Raises ScenarioUnavailable if its port cannot be bound.
    """
    reply_counts = Counter[str]()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        try:
            server.bind((DNS_ADDRESS, 53))
        except OSError as error:
            raise ScenarioUnavailable(f"cannot bind port 53 of {DNS_ADDRESS}: {error}") from error

        def send(data: bytes, client: tuple[str, int]) -> None:
            try:
                server.sendto(data, client)
            except OSError:
                return  # closed meanwhile

        def serve() -> None:
            while True:
                try:
                    query, client = server.recvfrom(2048)
                except OSError:
                    return
                (kind,) = rng.choices(list(REPLY_WEIGHTS), list(REPLY_WEIGHTS.values()))
                reply_counts[kind] += 1
                if data := build_dns_reply(query, kind):
                    delay_seconds = rng.uniform(0.5, 2.5) if kind == "late" else 0.0
                    threading.Timer(delay_seconds, send, [data, client]).start()

        threading.Thread(target=serve, daemon=True).start()
        yield reply_counts


def build_dns_reply(query: bytes, kind: str) -> bytes:
    """Build the reply to a query for one name; empty for "silent"."""
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


def _build_resolver_prefix(directory: Path) -> list[str]:
    """Return the command prefix for a mount namespace whose resolver is the faulty name server."""
    if shutil.which("unshare") is None:
        raise ScenarioUnavailable("unshare is not installed")
    resolver = directory / "resolv.conf"
    resolver.write_text(f"nameserver {DNS_ADDRESS}\noptions timeout:2 attempts:2\n")
    prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {resolver} /etc/resolv.conf && exec "$@"', "sh"]
    done = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if done.returncode:
        raise ScenarioUnavailable(f"no mount namespace: {done.stderr.strip()}")
    return prefix
