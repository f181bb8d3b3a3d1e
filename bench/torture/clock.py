"""The clock steps under a worker, and under the server, while both run: libfaketime, told by a file."""

import random
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.torture.faults import Attack, suffer
from bench.torture.processes import Program
from bench.torture.scene import STEADY, Scene, Size
from bench.torture.stage import Ground, NotRun, Stage, stage
from diagsite.tests.site import Process, Site

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
STEPS = (-3600, -90, -5, 5, 90, 3600)


def stepped_clock(attack: Attack, where: Ground, rng: random.Random, size: Size) -> Figure:
    """One of server and two workers at a time is set to another time."""
    library = next((path for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])), None)
    if library is None:
        raise NotRun("libfaketime is not installed: on Debian and Ubuntu, apt install faketime")
    files = [where.directory / f"clock-{number}" for number in range(3)]
    for file in files:
        file.write_text("+0\n")

    def maker(number: int) -> Callable[[Site], Process]:
        return lambda site: _program(site, library, files[number], "serve" if number == 0 else "worker")

    def step(scene: Scene, on: Stage) -> None:
        scene.rng.choice(files).write_text(f"{scene.rng.choice(STEPS):+d}\n")

    with stage(server=maker(0), workers=[maker(1), maker(2)], variables=STEADY) as on:
        return suffer(attack, size, rng, on, step, is_clock_true=False)


def _program(site: Site, library: Path, file: Path, what: str) -> Process:
    arguments = ["serve", "--concurrency", "0"] if what == "serve" else ["procrastinate", "worker"]
    variables = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a step of the clock leaves the monotonic one alone
        "DONT_FAKE_MONOTONIC": "1",
    }
    return Program([], arguments, site.address, **site.environment, **variables)
