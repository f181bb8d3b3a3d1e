"""Redis under three Sentinels and a replicated PostgreSQL, whose masters can be killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from diagsite.server.embedded_postgres import EmbeddedPostgres, get_binaries_directory
from testing.services import (
    execute_sql,
    fetch_rows,
    find_free_port,
    find_program,
    get_run_directory,
    is_port_open,
    wait_until,
)
from testing.site import run_management_command

SERVICE = "diagsite"
SENTINEL_CONFIG = """
port {port}
bind 127.0.0.1
dir {directory}
sentinel monitor {service} 127.0.0.1 {master} 2
sentinel down-after-milliseconds {service} 2000
sentinel failover-timeout {service} 5000
"""
REPLICATED_SETTINGS = """
fsync = off
wal_level = replica
max_connections = 200
autovacuum_naptime = 1h
"""


class SentinelRedis:
    """A Redis with a replica and three Sentinels."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._binary = find_program("redis-server")
        self._data_ports = [find_free_port(), find_free_port()]
        self._sentinel_ports = [find_free_port() for _ in range(3)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._sentinel_ports)
        self.url = f"redis+sentinel://{hosts}/{SERVICE}/0"

    def start(self) -> None:
        """Start all, and return when the Sentinels know each other and the replica."""
        master, replica = self._data_ports
        for port in self._data_ports:
            self._start_server(port, *(["--replicaof", "127.0.0.1", str(master)] if port == replica else []))
        for port in self._sentinel_ports:
            path = self._directory / f"sentinel-{port}.conf"
            path.write_text(
                SENTINEL_CONFIG.format(port=port, directory=self._directory, service=SERVICE, master=master)
            )
            self._spawn(port, self._binary, str(path), "--sentinel")
        wait_until(self._is_settled, "the Sentinels to find the replica and each other")

    def kill_master(self) -> None:
        """Kill the current master. It comes back as a replica after the failover, for the next one."""
        port = self.get_master_port()
        self._processes[port].kill()
        self._processes[port].wait()
        wait_until(lambda: self.get_master_port() != port, "a failover")

    def restore_replica(self) -> None:
        """Start the server that was killed again, as a replica of the other one."""
        master = self.get_master_port()
        (port,) = set(self._data_ports) - {master}
        self._start_server(port, "--replicaof", "127.0.0.1", str(master))

    def get_master_port(self) -> int:
        """Return the port of the master, by the Sentinels."""
        with redis.Redis(port=self._sentinel_ports[0]) as sentinel:
            return int(sentinel.execute_command("SENTINEL", "get-master-addr-by-name", SERVICE)[1])

    def stop(self) -> None:
        """Kill all."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _is_settled(self) -> bool:
        states: list[dict[str, Any]] = []
        for port in self._sentinel_ports:
            with redis.Redis(port=port) as sentinel, contextlib.suppress(redis.RedisError):
                states.append(sentinel.sentinel_masters()[SERVICE])
        return len(states) == 3 and all(
            state["num-other-sentinels"] == 2 and state["num-slaves"] == 1 for state in states
        )

    def _start_server(self, port: int, *options: str) -> None:
        self._spawn(port, self._binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options)
        wait_until(lambda: is_port_open(port), "redis-server to start")

    def _spawn(self, port: int, *command: str) -> None:
        self._processes[port] = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self._directory)


class ReplicatedPostgres:
    """A PostgreSQL with a synchronous standby, which has every transaction that was confirmed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = [find_free_port(), find_free_port()]
        self._processes: list[subprocess.Popen[bytes]] = []
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self.url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    def start(self) -> None:
        """Start both, with the site's tables and seeds, and return when the standby is synchronous."""
        primary, standby = self._directory / "primary", self._directory / "standby"
        embedded = EmbeddedPostgres(primary, settings=REPLICATED_SETTINGS)
        embedded.start()
        for command in ("migrate", "seed"):
            run_management_command([command], embedded.get_uri())
        embedded.release()
        self._start_server(primary, self._ports[0])
        connection_info = f"host=127.0.0.1 port={self._ports[0]} user=postgres application_name=standby"
        program = str(get_binaries_directory() / "pg_basebackup")
        backup = [program, "-D", str(standby), "-d", connection_info, "-R", "-c", "fast"]
        subprocess.run(backup, check=True, capture_output=True)
        owner = primary.stat()
        subprocess.run(["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", str(standby)], check=True)
        self._start_server(standby, self._ports[1])
        url = self._get_url(0)
        execute_sql(url, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        execute_sql(url, "SELECT pg_reload_conf()")
        replicas_sql = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: fetch_rows(url, replicas_sql), "the standby to be synchronous")

    def fail_over(self) -> None:
        """Kill the primary and promote the standby."""
        primary = self._processes[0]
        primary.send_signal(signal.SIGQUIT)  # an immediate shutdown, as in a crash
        primary.wait()
        execute_sql(self._get_url(1), "SELECT pg_promote()")

    def stop(self) -> None:
        """Stop both."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGQUIT)
                process.wait()

    def _get_url(self, number: int) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._ports[number]}/postgres"

    def _start_server(self, data: Path, port: int) -> None:
        options: dict[str, Any] = {"cwd": "/"}
        owner = data.stat()
        if owner.st_uid != os.geteuid():
            options |= {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        command = [str(get_binaries_directory() / "postgres"), "-D", str(data), "-c", f"port={port}"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        log = (self._directory / f"{data.name}.log").open("wb")
        self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, **options))
        wait_until(lambda: _accepts_connections(port), f"PostgreSQL at {port}")


def _accepts_connections(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def running_replicated_services(*, with_redis: bool, with_postgres: bool) -> Iterator[tuple[Any, Any]]:
    """Run the block with (a `SentinelRedis` or None, a `ReplicatedPostgres` or None)."""
    directory = get_run_directory() / f"failover-{time.monotonic_ns()}"
    directory.mkdir()
    directory.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        sentinel_redis = SentinelRedis(directory) if with_redis else None
        postgres = ReplicatedPostgres(directory) if with_postgres else None
        for service in (sentinel_redis, postgres):
            if service:
                stack.callback(service.stop)
                service.start()
        yield sentinel_redis, postgres
