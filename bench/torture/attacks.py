"""All attacks, in the order in which they are run."""

import random

from bench.figures import Figure
from bench.torture.clock import stepped_clock
from bench.torture.deploy import rolling_deploy
from bench.torture.disk import full_disk
from bench.torture.faults import FAULTS, Attack
from bench.torture.frames import attack_socket
from bench.torture.platforms import misbehaving_dns, misbehaving_platforms
from bench.torture.scene import Size
from bench.torture.schema import attack_schema
from bench.torture.soak import soak
from bench.torture.stage import Ground

__all__ = ["ATTACKS", "Attack", "Size"]


def _schema(attack: Attack, where: Ground, rng: random.Random, size: Size) -> list[Figure]:
    return attack_schema(rng, where.directory, examples=size.examples)


def _frames(attack: Attack, where: Ground, rng: random.Random, size: Size) -> list[Figure]:
    return attack_socket(rng, count=size.frames)


ATTACKS = [
    *FAULTS,
    Attack("platforms", "platforms slow, half-open, resetting, breaking off, dripping", misbehaving_platforms),
    Attack("dns", "names that are found late, wrongly, or not", misbehaving_dns),
    Attack("disk", "a full disk under PostgreSQL for 4 to 8 s", full_disk, most_times=4),
    Attack("clock", "the clock stepped by 5 s to an hour, there and back", stepped_clock),
    Attack("deploy", "a rolling deploy, there and back", rolling_deploy),
    Attack("soak", "1,000 idle sockets and 200 diagnoses", soak),
    Attack("schema", "requests made from the OpenAPI schema", _schema),
    Attack("frames", "fuzzed frames at the socket", _frames),
]
