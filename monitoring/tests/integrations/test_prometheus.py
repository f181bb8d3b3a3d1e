"""The exported rules checked by promtool, and by a Prometheus server that scrapes a running site."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command

from monitoring.integrations.prometheus_rules import build_recordings, render_rule_file
from monitoring.models import Rule
from testing.services import LOCAL_HTTPX_OPTIONS, execute_sql, find_free_port, find_program, wait_until
from testing.site import run_management_command, running_site

TOKEN = "token-of-prometheus"
NOT_VALID = [{"label": "outcome", "op": "!=", "values": ["valid", 'a "b" \\ (c|d)']}]


@pytest.fixture(scope="session")
def promtool() -> str:
    """Needs Debian's package prometheus."""
    return find_program("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """Needs Debian's package prometheus."""
    return find_program("prometheus")


def make_rule(name: str = "too_many", **columns: Any) -> Rule:
    return Rule(name=name, title="标题 {{ $labels.a }}", **{"kind": "ratio", "threshold": 0.05, **columns})


def make_ratio_rule(**columns: Any) -> Rule:
    return make_rule(metric="diagnosis_calls_total", denominator="diagnosis_calls_total", matchers=NOT_VALID, **columns)


def make_mean_rule(**columns: Any) -> Rule:
    return make_rule(kind="mean", metric="diagnosis_call_seconds", **columns)


def run_promtool(promtool: str, command: list[str]) -> str:
    result = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


RULES = [
    make_ratio_rule(description='说明 "引号"\n第二行', runbook_url="https://runbook.example/a", severity="critical"),
    make_ratio_rule(name="too_few", comparison="<", threshold=0.9, no_data="alert"),
    make_mean_rule(name="too_slow", threshold=10, keep_firing_seconds=0, for_seconds=0),
    make_rule("too_much", kind="gauge", metric="diagnosis_running", threshold=100),
    make_rule("too_open", kind="gauge", metric="progress_sockets_open", threshold=1e9, no_data="alert"),
]


@pytest.mark.parametrize("rules", [RULES, RULES[:1], []])
def test_promtool_accepts_exported_rules(promtool: str, tmp_path: Path, rules: list[Rule]) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(render_rule_file(rules))
    recorded = sum(len(build_recordings(rule)) for rule in rules)
    assert f"{len(rules) + recorded} rules found" in run_promtool(promtool, ["check", "rules", str(file)])
    assert max(map(len, file.read_text().splitlines())) < 600


def test_exported_runbook_links_are_absolute(settings: Any) -> None:
    settings.SITE_URL = "https://site.example"
    assert 'runbook_url: "https://site.example/admin/a/"' in render_rule_file(
        [make_ratio_rule(runbook_url="/admin/a/")]
    )


def make_series(name: str, labels: str, per_minute: float) -> dict[str, str]:
    return {"series": f"{name}{{{labels}}}", "values": f"0+{per_minute}x60"}


# What is measured a minute -> whether the rule fires; the same cases as the site's own evaluation decides.
CASES = [
    ("20 of 100 fail", make_ratio_rule(), {"valid": 80, "timeout": 20}, True),
    ("2 of 100 fail", make_ratio_rule(), {"valid": 98, "timeout": 2}, False),
    ("8 of 100 fail, too few to tell", make_ratio_rule(least_samples=9999), {"valid": 92, "timeout": 8}, False),
    (
        "1 of 10 fails, by chance perhaps",
        make_ratio_rule(widest_window_seconds=300),
        {"valid": 1.8, "timeout": 0.2},
        False,
    ),
    ("9 of 10 fail, and there are few", make_ratio_rule(), {"valid": 0.1, "timeout": 0.9}, True),
    ("nothing ever failed", make_ratio_rule(), {"valid": 100}, False),
    ("all fail", make_ratio_rule(), {"timeout": 100}, True),
    ("few succeed", make_ratio_rule(comparison="<", threshold=0.9), {"valid": 100}, True),
    ("many succeed", make_ratio_rule(comparison="<", threshold=0.9), {"timeout": 100}, False),
]


@pytest.mark.parametrize(("description", "rule", "per_minute", "fires"), CASES, ids=[case[0] for case in CASES])
def test_exported_ratio_rules_fire_like_the_site(
    promtool: str, tmp_path: Path, description: str, rule: Rule, per_minute: dict[str, float], fires: bool
) -> None:
    input_series = [
        make_series("diagnosis_calls_total", f'outcome="{outcome}"', number) for outcome, number in per_minute.items()
    ]
    assert is_firing(promtool, tmp_path, rule, input_series) == fires


@pytest.mark.parametrize(("seconds", "fires"), [(12.0, True), (8.0, False)])
def test_exported_mean_rules_fire_like_the_site(promtool: str, tmp_path: Path, seconds: float, fires: bool) -> None:
    input_series = [
        make_series("diagnosis_call_seconds_sum", 'platform="a"', 100 * seconds),
        make_series("diagnosis_call_seconds_count", 'platform="a"', 100),
    ]
    assert is_firing(promtool, tmp_path, make_mean_rule(threshold=10), input_series) == fires


@pytest.mark.parametrize(("metric", "fires"), [("diagnosis_running", False), ("progress_sockets_open", True)])
def test_db_gauges_are_not_summed_over_processes(promtool: str, tmp_path: Path, metric: str, fires: bool) -> None:
    rule = make_rule(kind="gauge", metric=metric, threshold=100)
    input_series = [{"series": f'{metric}{{instance="{n}",job="site"}}', "values": "60x60"} for n in (1, 2)]
    assert is_firing(promtool, tmp_path, rule, input_series) == fires


def is_firing(promtool: str, directory: Path, rule: Rule, input_series: list[dict[str, str]]) -> bool:
    """Return whether `promtool test rules` reports that the rule fires after 40 minutes of these series."""
    (directory / "rules.yml").write_text(render_rule_file([rule]))
    expected = [
        {"exp_labels": {"severity": rule.severity, "origin": "diagsite"}, "exp_annotations": {"summary": rule.title}}
    ]
    outcomes = []
    for number, alerts in enumerate(([], expected)):
        document = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": "15s",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": input_series,
                    "alert_rule_test": [{"eval_time": "40m", "alertname": rule.name, "exp_alerts": alerts}],
                }
            ],
        }
        file = directory / f"test{number}.yml"
        file.write_text(json.dumps(document))
        result = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=180)
        outcomes.append(result.returncode == 0)
    assert sum(outcomes) == 1, result.stdout + result.stderr  # exactly one expectation holds
    return outcomes[1]


def configuration(site_port: int, rules: Path) -> str:
    document = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": "site",
                "authorization": {"credentials": TOKEN},
                "static_configs": [{"targets": [f"127.0.0.1:{site_port}"]}],
            }
        ],
    }
    return json.dumps(document)


@pytest.fixture
def served() -> Iterator[Any]:
    with running_site(METRICS_TOKEN=TOKEN, concurrency=0) as site:
        yield site


def test_prometheus_server_scrapes_the_site_and_fires_its_rules(prometheus: str, served: Any, tmp_path: Path) -> None:
    rules, port = tmp_path / "rules.yml", find_free_port()
    row = {"kind": "ratio", "metric": "http_requests_total", "denominator": "http_requests_total"}
    rule = make_rule("many_wrong_addresses", **row, for_seconds=0, window_seconds=30, least_samples=1)
    rule.matchers = [{"label": "status", "op": "=", "values": ["4xx"]}]
    add_rule(served.address, rule)
    assert "rules" in run_management_command(["export_prometheus_rules", "--output", str(rules)], served.address)
    (tmp_path / "prometheus.yml").write_text(configuration(served.port, rules))
    command = [prometheus, f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        with served.client() as client:
            assert fires(client, f"http://127.0.0.1:{port}/api/v1", "many_wrong_addresses")
    finally:
        server.terminate()
        server.wait(180)


def fires(client: httpx.Client, prometheus_url: str, name: str) -> bool:
    """Request unknown pages until Prometheus, which scrapes every second, fires the rule."""

    def is_firing_now() -> bool:
        client.get("/nowhere")
        try:
            answer = httpx.get(f"{prometheus_url}/rules", **LOCAL_HTTPX_OPTIONS).raise_for_status().json()
        except httpx.HTTPError:  # not started or not ready yet
            return False
        rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
        assert not [rule for rule in rules if rule["health"] == "err"]
        return any(rule["name"] == name and rule["state"] == "firing" for rule in rules)

    wait_until(is_firing_now, "the alert of a Prometheus server")
    return True


def add_rule(address: str, rule: Rule) -> None:
    """Store a rule in the site's database."""
    fields = [field for field in rule._meta.concrete_fields if not field.primary_key]
    row = {
        str(field.column): json.dumps(value) if field.get_internal_type() == "JSONField" else value
        for field in fields
        if (value := field.pre_save(rule, add=True)) is not None
    }
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    execute_sql(address, f"INSERT INTO monitoring_rule ({names}) VALUES ({places})", *row.values())


@pytest.mark.django_db
def test_command_exports_enabled_rules_only(capsys: pytest.CaptureFixture[str]) -> None:
    Rule.objects.all().delete()
    for rule in (make_ratio_rule(name="on"), make_ratio_rule(name="off", is_enabled=False)):
        rule.save()
    call_command("export_prometheus_rules")
    output = capsys.readouterr().out
    assert 'alert: "on"' in output and "off" not in output
