"""Follow the operators' manual in a fresh Debian root, block by block, to a diagnosis, a scrape and a restore.

The root is made by debootstrap, in a directory that is removed afterwards. Packages come from the network; then the
blocks run in network and process namespaces of their own, so that the usual ports are free. There is no systemd: a
script in its place runs the command lines of the units.

    python -m bench.install [--language en|zh] [--keep DIRECTORY]
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.harness import BenchmarkResult, run_measurements
from testing.manual_blocks import (
    INSTALL_SECTIONS,
    METRICS_SECTIONS,
    RESTORE_SECTIONS,
    read_blocks,
    read_readme_commands,
)
from testing.proxied_site import create_self_signed_certificate
from testing.services import find_free_port, find_program, wait_until
from testing.site import PROJECT_ROOT

PAGES = {"en": "manual.md", "zh": "manual.zh.md"}
READMES = {"manual.md": "README.md", "manual.zh.md": "README.zh-CN.md"}
MAX_FIRST_RUN_SECONDS = 180  # `make run` to the report of the sample, packages from the network included
# In the background until its sample has ended; then the README's diagnosis is started beside it.
README_SCRIPT = """
apt-get install -qy --no-install-recommends make python3-venv >/dev/null
cp -r /opt/diagsite /opt/readme && cd /opt/readme && export PORT={port}
{run} >/tmp/run.log 2>&1 & running=$!
began=$SECONDS
until grep -q '按 Ctrl-C 停止' /tmp/run.log; do
  kill -0 $running && ((SECONDS - began < {seconds})) || {{ tail -5 /tmp/run.log; exit 1; }}
  sleep 1
done
echo "$((SECONDS - began)) s to the report of the sample" >/tmp/readme.txt
{diagnose} >/tmp/diagnose.log
kill -TERM $running
wait $running || true
"""
COMPOSE_SCRIPT = """
cd /opt/diagsite && export PATH=/opt/diagsite/.venv/bin:$PATH
set -a && . /etc/diagsite/environment && set +a
{command}
"""
# Blocks of the install section, by index: before the second one the code is copied; from the third on none needs the
# network; the last one starts the site.
COPY_BLOCK, FIRST_ISOLATED_BLOCK, START_BLOCK = 1, 2, 4
DOMAIN = "site.example"
# What an operator edits: the demo platform stands for a real one.
EDITS = "DEMO=1\nOUTGOING_HOSTS=127.0.0.1\nDEMO_BASE_URL=http://127.0.0.1:8765/demo/v1\nDEMO_LATENCY=0.1\n"
# Debian gave the cluster another port if this machine has a PostgreSQL of its own.
SERVICES = """
pg_conftool 15 main set port 5432
pg_ctlcluster 15 main start
redis-server /etc/redis/redis.conf --daemonize yes --supervised no >/dev/null
nginx
"""
DEPLOY = PROJECT_ROOT / "deploy"
CHECK_SCRIPT = PROJECT_ROOT / "bench" / "install" / "check_site.py"


class FreshRoot:
    """A Debian root in a directory, and commands inside it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self._holder: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Unpack Debian, a certificate, and the script in place of systemctl."""
        self.path.mkdir(exist_ok=True)
        self.path.chmod(0o755)  # the root directory of its users
        if not (self.path / "etc" / "debian_version").exists():
            command = [find_program("debootstrap"), "--variant=minbase", "--include=ca-certificates"]
            subprocess.run([*command, "bookworm", str(self.path)], check=True, stdout=subprocess.DEVNULL)
        for name in ("etc/resolv.conf", "etc/apt/apt.conf.d"):
            source = Path("/") / name
            if source.is_dir():
                shutil.copytree(source, self.path / name, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, self.path / name)
        # The certificates that this machine trusts, for a network with a certificate of its own.
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", self.path / "etc/ssl/certs/ca-certificates.crt")
        (self.path / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")  # Debian would start the servers when it installs them
        policy.chmod(0o755)
        shutil.copy(PROJECT_ROOT / "bench" / "install" / "systemctl", self.path / "usr/local/bin/systemctl")
        certificates = self.path / "etc/ssl/diagsite"
        certificates.mkdir(parents=True, exist_ok=True)
        create_self_signed_certificate(certificates, DOMAIN)
        with (self.path / "etc/hosts").open("a") as hosts:
            hosts.write(f"127.0.0.1 localhost {DOMAIN}\n")

    def copy_code(self) -> None:
        """Put the committed code into /opt/diagsite."""
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=PROJECT_ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(self.path / "opt/diagsite")], input=archive, check=True)
        # npm has a list of its own, and sudo drops the variable that adds to it.
        (self.path / "opt/diagsite/.npmrc").write_text("cafile=/etc/ssl/certs/ca-certificates.crt\n")

    def isolate(self) -> None:
        """Give the following commands namespaces of their own."""
        mounts = f"mount -t proc proc {self.path}/proc && mount --rbind /dev {self.path}/dev"
        ready = self.path / "run" / "isolated"
        ready.unlink(missing_ok=True)
        script = f"ip link set lo up && {mounts} && touch {ready} && sleep infinity"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]
        )
        wait_until(ready.exists, "the namespaces", 30)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the root; a failing line ends it."""
        command = ["chroot", str(self.path), "/bin/bash", "-eu", "-c", script]
        if self._holder:
            (child,) = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
            command = ["nsenter", "--target", child, "--net", "--mount", "--pid", *command]
        else:
            command = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={self.path}/proc", *command]
        environment = {
            **{name: value for name, value in os.environ.items() if "proxy" in name.lower() or name.startswith("PIP_")},
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive",
            "LANG": "C.UTF-8",
        }
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def close(self) -> None:
        """End everything that runs in it."""
        if self._holder:
            self._holder.kill()
            self._holder.wait()


class ManualRun:
    """Runs the steps of one page in a root; nothing more after the first failure."""

    def __init__(self, root: FreshRoot, page: str) -> None:
        self.root, self.page = root, page
        self.results: list[BenchmarkResult] = []

    def run(self) -> list[BenchmarkResult]:
        """Install, then check the site, its metrics, and a backup with its restore."""
        self.root.create()
        self.root.run("apt-get update -q")
        for number, block in enumerate(read_blocks(self.page, INSTALL_SECTIONS[self.page])):
            if not self._is_held:
                return self.results
            if number == COPY_BLOCK:
                self.root.copy_code()
                self._follow_readme()
                self._step(
                    "Prometheus of Debian, beside the site", "apt-get install -qy --no-install-recommends prometheus"
                )
            if number == FIRST_ISOLATED_BLOCK:
                self.root.isolate()
                self._step("services of Debian start", SERVICES)
            if number == START_BLOCK:
                self._step("the operator's edits", f"printf '{EDITS}' >>/etc/diagsite/environment")
            self._step(f"install, block {number + 1}", block)
        if self._is_held:
            self._check_site()
        return self.results

    @property
    def _is_held(self) -> bool:
        return all(result.is_held for result in self.results)

    def _follow_readme(self) -> None:
        readme = READMES[self.page]
        run, diagnose = read_readme_commands(readme)
        script = README_SCRIPT.format(run=run, diagnose=diagnose, seconds=MAX_FIRST_RUN_SECONDS, port=find_free_port())
        self._step(f"{readme}: run and diagnose, in {MAX_FIRST_RUN_SECONDS} s", script)

    def _check_site(self) -> None:
        shutil.copy(CHECK_SCRIPT, self.root.path / "tmp/check_site.py")
        check = "/opt/diagsite/.venv/bin/python /tmp/check_site.py"
        cron = (self.root.path / "etc/cron.d/diagsite").read_text()
        backup = cron.split("diagsite  ", 1)[1].splitlines()[0]
        (token_block,) = read_blocks(self.page, METRICS_SECTIONS[self.page])
        (restore_block,) = read_blocks(self.page, RESTORE_SECTIONS[self.page])
        self._step("a diagnosis through nginx with TLS", f"{check} diagnose")
        self._step("the token for Prometheus", f"mkdir -p /etc/prometheus\n{token_block}")
        self._step("a scrape of all processes by Prometheus", f"{check} scrape")
        for title, command in read_container_commands().items():
            self._step(title, COMPOSE_SCRIPT.format(command=command))
        self._step("the nightly backup, by the line of its cron file", f"sudo -u diagsite sh -c '{backup}'")
        self._step("restore", restore_block)
        self._step("the diagnosis after the restore", f"{check} compare")

    def _step(self, title: str, script: str) -> None:
        if self._is_held:
            done = self.root.run(script)
            output = " ".join((done.stdout + done.stderr).split())[-300:]
            measured = output if done.returncode else "passed"
            result = BenchmarkResult(f"{self.page}: {title}", "passes as written", measured, not done.returncode)
            self.results.append(result)


def read_container_commands() -> dict[str, str]:
    """Return the commands of the image and of compose.yaml that need no engine, by what they are."""
    health_check = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[0]
    prepare = re.findall(
        r"^  prepare:\n.*\n.*\n    command: (\[.*\])$", (DEPLOY / "compose.yaml").read_text(), re.MULTILINE
    )[0]
    return {
        "the health check of the container image": shlex.join(json.loads(health_check)),
        "what compose runs before the site starts": shlex.join(json.loads(prepare)),
    }


def main() -> int:
    """Run it for one language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", choices=PAGES, default="en")
    parser.add_argument("--keep", type=Path, help="use this directory for the root, and keep it")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("root is needed: debootstrap and chroot")
    directory = options.keep or Path(tempfile.mkdtemp(prefix="diagsite-root-"))
    root = FreshRoot(directory)

    def measure() -> list[BenchmarkResult]:
        try:
            return ManualRun(root, PAGES[options.language]).run()
        finally:
            root.close()
            if not options.keep:
                shutil.rmtree(directory, ignore_errors=True)

    return run_measurements(f"install-{options.language}", [("the manual in a fresh root", measure)])


if __name__ == "__main__":
    sys.exit(main())
