"""One account whose limit is used up, and its credentials in other spellings: none may be a fresh caller."""

import random
from collections import Counter
from collections.abc import Iterator

import httpx

from bench.chaos.cluster import running_cluster
from bench.chaos.scenario import ScenarioContext
from bench.harness import BenchmarkResult
from testing.services import LOCAL_HTTPX_OPTIONS
from testing.site import Site

LIMITS = {"CALLS_PER_MINUTE": "20"}
FORGED_ADDRESSES = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "True-Client-IP")


def run_spelled_credentials(context: ScenarioContext) -> BenchmarkResult:
    """Send `size.spellings` requests with the credentials of an account that has no call left."""
    with running_cluster(workers=[], variables=LIMITS) as cluster:
        statuses = count_statuses(cluster.site, context.size.spellings, context.rng)
    fresh = statuses.total() - statuses[429] - statuses[401]
    return BenchmarkResult(
        f"fresh windows by spelling of credentials, {context.size.spellings:,} variants",
        "0",
        f"{fresh}; {statuses[429]} told to wait, {statuses[401]} not signed in",
        fresh == 0 and statuses[429] > 0,
    )


def count_statuses(site: Site, spellings: int, rng: random.Random) -> Counter[int]:
    """Use up the calls of an account, send its credentials in other spellings, and count the statuses of these."""
    token, statuses = site.token("account-hostile"), Counter[int]()
    with httpx.Client(base_url=site.url, **LOCAL_HTTPX_OPTIONS) as client:

        def get_status(headers: dict[str, str]) -> int:
            return client.get("/api/platforms", headers=headers).status_code

        while get_status({"Authorization": f"Bearer {token}"}) == 200:
            pass  # until the window is full; all variants are sent before it moves on
        for headers in spell_credentials(token, spellings, rng):
            statuses[get_status(headers)] += 1
    return statuses


def spell_credentials(token: str, count: int, rng: random.Random) -> Iterator[dict[str, str]]:
    """Yield headers with the token in another spelling, some with a session or a forged address."""
    for number in range(count):
        scheme = "".join(rng.choice((letter.upper(), letter)) for letter in "bearer")
        padding, space = rng.choice(("x", ",", "=")) * rng.choice((0, 0, 0, 1, 3)), " " * rng.choice((1, 1, 1, 2))
        spellings = f"{scheme}{space}{token}{padding}", f"{scheme}{padding}{space}{token}", f"junk {number}"
        headers = {"Authorization": rng.choice(spellings)}
        if rng.random() < 0.4:
            headers["Cookie"] = f"sessionid={number}"
        if rng.random() < 0.4:
            headers[rng.choice(FORGED_ADDRESSES)] = f"192.0.2.{number % 250}"
        yield headers
