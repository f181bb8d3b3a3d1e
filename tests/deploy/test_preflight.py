"""The preflight reports problems with their remedies and an exit code for deployment scripts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from diagnosis.models import Platform
from diagsite.operations.preflight.checks import CHECKS, select_checks
from diagsite.operations.preflight.results import (
    FAILED,
    OK,
    WARNING,
    CheckFinding,
    CheckResult,
    get_exit_code,
    run_checks,
)
from monitoring.delivery.channel_secrets import encrypt_secrets
from monitoring.models import Channel
from testing.data.alert_channels import create_default_channel
from testing.data.diagnoses import API_KEY_VARIABLE, TEST_API_KEY, make_platform
from testing.fakes.chat_bots import FakeChatBots
from testing.fakes.platform import FakePlatform, respond_with_answer, respond_with_error
from testing.site import SiteProcess, create_database, running_site

# A busy worker must not count as stalled.
PATIENT = {"JOB_STALLED_SECONDS": "30"}


def _run(*names: str) -> dict[str, CheckResult]:
    return {result.name: result for result in run_checks({name: CHECKS[name] for name in names})}


def _preflight(address: str, *arguments: str, **extra: str) -> tuple[int, dict[str, dict[str, Any]]]:
    with SiteProcess(["preflight", "--json", *arguments], address, **extra) as command:
        code = command.wait(240)
    told = command.out.read_text()
    assert told, command.log.read_text()
    return code, {check["name"]: check for check in json.loads(told)["checks"]}


def test_running_site_passes_all_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", "sk-of-a-test")
    with FakePlatform() as fake, FakeChatBots() as robots, running_site(**PATIENT) as site:
        fake.set_behaviour(respond_with_answer("好"))
        site.add_platform("fake", fake.base_url)
        create_default_channel(site.address, "webhook", robots.webhook)
        code, results = _preflight(site.address, "--live", "--notify", **PATIENT)
        assert {name: check["detail"] for name, check in results.items() if check["level"] == FAILED} == {}
        assert code == 0
        assert fake.count() == 1
        assert len(robots.received) == 1
    assert {"services jobs", "services push", "platforms fake", "channels webhook"} <= set(results)


def test_missing_worker_fails_unless_skipped() -> None:
    address = create_database()
    code, results = _preflight(address)
    assert (code, results["services jobs"]["level"]) == (1, FAILED)
    assert "start a worker" in results["services jobs"]["detail"]
    code, results = _preflight(address, "--skip", "services")
    assert code == 0, results


def test_other_checks_run_without_a_database() -> None:
    away = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"}
    code, results = _preflight("", *(["--skip=services", "--skip=migrations", "--skip=seeds"]), **away)
    assert code == 1
    assert results["database"]["level"] == FAILED
    assert {results["python"]["level"], results["cache default"]["level"]} == {OK}


@pytest.mark.django_db
def test_missing_migrations_and_seeds_are_reported() -> None:
    results = _run("migrations", "seeds", "database", "clock")
    assert {name: result.level for name, result in results.items()} == {
        "migrations": OK,
        "seeds": FAILED,
        "database": OK,
        "clock": OK,
    }
    assert "manage.py seed" in results["seeds"].detail


def test_production_without_tls_or_static_files_fails(settings: Any, tmp_path: Any) -> None:
    settings.PRODUCTION, settings.STATIC_ROOT = True, tmp_path
    settings.SECURE_SSL_REDIRECT = False
    results = _run("tls", "static")
    assert (results["tls redirect"].level, results["static"].level) == (FAILED, FAILED)
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    settings.SECURE_PROXY_SSL_HEADER, settings.SITE_URL = ("HTTP_X_FORWARDED_PROTO", "https"), "https://site.example"
    (tmp_path / "staticfiles.json").touch()
    assert {result.level for result in _run("tls", "static").values()} == {OK}


def test_package_with_another_version_is_named(settings: Any, tmp_path: Any) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / "requirements.txt").write_text("Django==1.0  # old\nno-such-package==1.0\nredis\n")
    detail = _run("packages")["packages"].detail
    assert "Django is " in detail and "not 1.0; no-such-package is missing" in detail


@pytest.mark.django_db(transaction=True)
def test_the_first_start_needs_no_platform(settings: Any) -> None:
    settings.PRODUCTION, settings.DEMO = True, False
    Platform.objects.update(is_enabled=False)
    assert {result.level for result in _run("keys").values()} == {WARNING}


@pytest.fixture
def fake() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        yield server


@pytest.mark.django_db(transaction=True)
def test_live_check_finds_a_refused_key(fake: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, TEST_API_KEY)
    fake.set_behaviour(respond_with_error(401, {"error": {"message": "invalid api key"}}))
    make_platform(base_url=fake.base_url)
    assert _run("keys")["keys"].level == OK
    (result,) = run_checks({"platforms": select_checks(live=True, notify=False, skipped=[])["platforms"]})
    assert (result.name, result.level) == ("platforms fake", FAILED)
    assert TEST_API_KEY not in result.detail
    monkeypatch.delenv(API_KEY_VARIABLE)
    assert _run("keys")["keys fake"].level == FAILED


@pytest.mark.django_db
def test_channel_with_undecryptable_secrets_is_found(settings: Any) -> None:
    settings.SECRET_KEY = "the old one" * 5
    secrets = encrypt_secrets({"address": "https://oapi.dingtalk.com/x"})
    settings.SECRET_KEY = "the new one" * 5
    Channel.objects.create(name="ops", kind="dingtalk", is_default=True, secrets=secrets)
    assert _run("alerts")["alerts ops"].level == FAILED


def test_exception_of_a_check_is_its_finding() -> None:
    def broken() -> list[CheckFinding]:
        raise OSError("no room\nat all")

    results = run_checks({"disk": broken, "python": CHECKS["python"]})
    assert [(result.level, result.detail) for result in results][:1] == [(FAILED, "OSError: no room")]
    assert len(results) == 2


@pytest.mark.parametrize(
    ("level", "strict", "code"), [(OK, True, 0), (WARNING, False, 0), (WARNING, True, 1), (FAILED, False, 1)]
)
def test_exit_code_depends_on_levels_and_strict(level: str, strict: bool, code: int) -> None:
    assert get_exit_code([CheckResult("any", level, "", 0.0)], strict=strict) == code


@pytest.mark.django_db
def test_default_output_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [name for name in CHECKS if name not in ("python", "cache")]
    call_command("preflight", skip=skipped)
    said = capsys.readouterr().out
    assert "python" in said and "2 ok, 0 warning, 0 failed" in said
