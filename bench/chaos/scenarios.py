"""All scenarios, in the order in which they run."""

from bench.chaos.attacks.credentials import run_spelled_credentials
from bench.chaos.attacks.operator import run_hostile_operator
from bench.chaos.attacks.platforms import run_hostile_platforms
from bench.chaos.attacks.sockets import run_hostile_sockets
from bench.chaos.attacks.starvation import run_starving_account
from bench.chaos.clock import run_clock_steps
from bench.chaos.deploy import run_rolling_deploy
from bench.chaos.disk import run_full_disk
from bench.chaos.dns import run_faulty_dns
from bench.chaos.failover import run_postgres_failover, run_redis_failover
from bench.chaos.faults import FAULT_SCENARIOS
from bench.chaos.fuzzing import run_frame_scenario
from bench.chaos.platforms import run_failing_platforms
from bench.chaos.scenario import Scenario
from bench.chaos.schema import run_schemathesis
from bench.chaos.soak import run_soak

ATTACKS = [
    Scenario("hostile-sockets", "peers of sockets that read nothing, lie or flood", run_hostile_sockets),
    Scenario("starving-account", "one account with 100 slow orders and 40 corrections", run_starving_account),
    Scenario("hostile-platforms", "bombs, endless and dripping answers, redirects", run_hostile_platforms),
    Scenario("hostile-operator", "every text that an operator may enter", run_hostile_operator),
    Scenario("spelled-credentials", "1,000 spellings of one credential", run_spelled_credentials),
]
SCENARIOS = [
    *FAULT_SCENARIOS,
    Scenario("redis-failover", "the master of three Sentinels killed", run_redis_failover, max_injections=3),
    Scenario("postgres-failover", "PostgreSQL killed, its standby promoted", run_postgres_failover, max_injections=1),
    Scenario("platforms", "platforms slow, half-open, resetting, cutting off, dripping", run_failing_platforms),
    Scenario("dns", "names resolved late, wrongly, or not at all", run_faulty_dns),
    Scenario("disk", "a full disk under PostgreSQL for 4 to 8 s", run_full_disk, max_injections=4),
    Scenario("clock", "the clock stepped by 5 s to an hour in both directions", run_clock_steps),
    Scenario("deploy", "a rolling deploy and its rollback", run_rolling_deploy),
    Scenario("soak", "1,000 idle sockets and 200 diagnoses", run_soak),
    Scenario("schema", "requests generated from the OpenAPI schema", run_schemathesis),
    Scenario("frames", "fuzzed frames at the socket", run_frame_scenario),
    *ATTACKS,
]
