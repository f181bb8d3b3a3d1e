"""`manage.py diagnose`: progress, report and exit codes."""

import json
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from testing.clients.pseudo_terminal import PseudoTerminal
from testing.data.diagnoses import API_KEY_VARIABLE, TEST_API_KEY, make_platform
from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.services import get_load_factor, wait_until
from testing.site import (
    PROJECT_ROOT,
    Site,
    SiteProcess,
    build_environment,
    create_database,
    run_management_command,
    running_site,
)

QUESTION = ["--question", "推荐哪个手冲壶？"]
KEYS = {"TEST_API_KEY": "sk-of-a-test"}
TWO_QUESTIONS = [*QUESTION, "--question", "送礼选哪款？", "--platform", "held", "--repeats", "2"]


def _start(site: Site, *arguments: str, **extra: str) -> SiteProcess:
    return SiteProcess(["diagnose", "山岚", *arguments], site.address, **extra)


@pytest.fixture
def fake() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        yield server


def _add_held(site: Site, fake: FakePlatform) -> None:
    """Add a platform that answers one call and holds the others until released."""
    fake.set_behaviour(respond_with_answer(), hold_response(), model="held")
    site.add_platform("held", fake.base_url)


@pytest.fixture
def unshared(fake: FakePlatform) -> Site:
    """A site with its own database, not started."""
    site = Site(create_database())
    _add_held(site, fake)
    return site


def _status(site: Site) -> str:
    return str(site.query("SELECT status FROM diagnosis_diagnosis")[0][0])


def _wait_until_asked(site: Site) -> None:
    wait_until(lambda: site.query("SELECT 1 FROM diagnosis_diagnosis WHERE status = 'asking'"), "the run to begin")


def _wait_until_answered(site: Site) -> None:
    wait_until(lambda: site.query("SELECT 1 FROM diagnosis_diagnosis WHERE valid > 0"), "an answer")


@dataclass
class Done:
    """The result of a command run in this process."""

    code: int
    out: str
    err: str


@pytest.fixture
def chinese_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def diagnose(
    transactional_db: None,
    chinese_terminal: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Done]:
    """Run the command in this process, which is seconds faster than a new process."""
    settings.DEMO_LATENCY = 0.05
    monkeypatch.setenv(API_KEY_VARIABLE, TEST_API_KEY)
    call_command("seed", verbosity=0)

    def run(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            call_command("diagnose", "山岚", *arguments)
        told = capsys.readouterr()
        return Done(int(str(ended.value.code)), told.out, told.err)

    return run


def test_command_runs_its_own_worker_and_marks_demo_data(diagnose: Callable[..., Done]) -> None:
    done = diagnose(*QUESTION, "--competitor", "云栖壶,云栖", "--platform", "demo-fast")
    assert done.code == 0
    assert "演示数据" in done.out
    assert "1 / 1 有效" in done.out
    assert "云栖壶" in done.out
    assert "100% 已完成" in done.err


def test_json_output_is_one_document_and_missing_answer_is_partial(diagnose: Callable[..., Done]) -> None:
    done = diagnose(*QUESTION, "--platform", "demo-fast", "--platform", "demo-quota", "--json")
    assert done.code == 3
    document = json.loads(done.out)
    assert document["diagnosis"]["status"] == "partial"
    assert document["report"]["demo"] is True
    assert sorted(answer["state"] for answer in document["answers"]) == ["failed", "valid"]
    assert "演示数据" in done.err


def test_diagnosis_without_answers_fails(diagnose: Callable[..., Done]) -> None:
    assert diagnose(*QUESTION, "--platform", "demo-quota").code == 4


def test_timeout_ends_the_diagnosis_and_keeps_answers(diagnose: Callable[..., Done], fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response(), model="silent")
    for pk in ("silent", "quick"):
        make_platform(pk, base_url=fake.base_url)
    done = diagnose(
        *QUESTION, "--platform", "quick", "--platform", "silent", "--timeout", f"{4 * get_load_factor():g}", "--json"
    )
    assert done.code == 4
    report = json.loads(done.out)["report"]
    assert (report["diagnosis"]["status"], report["valid"], report["planned"]) == ("timed_out", 1, 2)


def test_default_platforms_are_all_available_real_ones(diagnose: Callable[..., Done], fake: FakePlatform) -> None:
    for pk in ("first", "second"):
        make_platform(pk, base_url=fake.base_url)
    make_platform("keyless", base_url=fake.base_url, key_variable="NO_SUCH_API_KEY")
    make_platform("off", base_url=fake.base_url, is_enabled=False)
    done = diagnose(*QUESTION, "--json")
    assert done.code == 0
    assert {answer["platform"] for answer in json.loads(done.out)["answers"]} == {"first", "second"}
    assert "演示" not in done.err


def test_demo_platform_is_announced_when_no_real_one_is_available(diagnose: Callable[..., Done]) -> None:
    done = diagnose(*QUESTION)
    assert done.code == 0
    assert "改用演示平台" in done.err


def test_running_worker_is_used_and_others_can_cancel(fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response())
    with running_site() as site, site.client() as client:
        site.add_platform("held", fake.base_url)
        user = site.query("SELECT username FROM diagsite_user")[0][0]
        with _start(site, *QUESTION, "--platform", "held", "--user", user) as running:  # it has no TEST_API_KEY
            fake.wait_for_calls(1)
            client.post(f"/api/diagnoses/{client.get('/api/diagnoses').json()['items'][0]['id']}/cancel")
            assert running.wait(180) == 5


def test_command_takes_over_from_a_killed_worker(fake: FakePlatform) -> None:
    with running_site() as site:
        _add_held(site, fake)
        with _start(site, *TWO_QUESTIONS, **KEYS) as running:
            _wait_until_answered(site)
            site.server.kill()
            fake.release()
            assert running.wait(180) == 0, running.log.read_text()


def test_ctrl_c_without_a_terminal_cancels_and_keeps_answers(unshared: Site) -> None:
    with _start(unshared, *TWO_QUESTIONS, "--json", **KEYS) as running:
        _wait_until_answered(unshared)
        running.send_signal(signal.SIGINT)
        assert running.wait(180) == 130, running.log.read_text()
    assert json.loads(running.out.read_text())["report"]["valid"] == 1
    assert _status(unshared) == "cancelled"


def test_ctrl_c_at_a_terminal_asks_first(unshared: Site) -> None:
    command = [sys.executable, "manage.py", "diagnose", "山岚", *TWO_QUESTIONS]
    terminal = PseudoTerminal(command, PROJECT_ROOT, build_environment(unshared.address, LANG="zh_CN.UTF-8", **KEYS))
    _wait_until_asked(unshared)
    terminal.press_ctrl_c()
    terminal.wait_for("取消这次诊断？")
    terminal.type_text("n\n")
    _wait_until_answered(unshared)
    assert _status(unshared) == "asking"
    terminal.press_ctrl_c()
    wait_until(lambda: terminal.text.count("取消这次诊断？") == 2, "the second question")
    terminal.press_ctrl_c()
    assert terminal.wait() == 130
    assert _status(unshared) == "cancelled"
    assert "有效" in terminal.text


def test_help_contains_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("diagnose", "--help")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "examples:\n  # the demo platform" in told
    assert "exit codes:\n  0  completed" in told


@pytest.mark.usefixtures("db", "chinese_terminal")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--question: 至少 1 项。"),
        (["--question", "好？", "--question", "好？"], "--question 2: 与前面的重复了。"),
        (["--question", "好" * 501], "--question 1: 最多 500 个字。"),
        ([*QUESTION, "--repeats", "6"], "--repeats: 不能大于 5。"),
        ([*QUESTION, "--competitor", "云栖壶", "--competitor", "，别名"], "--competitor 2: 至少 1 个字。"),
        ([*QUESTION, "--alias", "x" * 101], "--alias 1: 最多 100 个字。"),
        ([*QUESTION, "--platform", "no-such"], "--platform 1: 没有名为“no-such”的可用平台。"),
        ([*QUESTION, "--user", "no-such"], "--user: 没有账号“no-such”。"),
        ([*QUESTION, "--timeout", "0"], "--timeout: 必须大于 0。"),
        (["--questions-file", "no-such-file"], "--questions-file: no-such-file: No such file or directory"),
    ],
    ids=lambda value: None if isinstance(value, list) else value.split(":")[0],
)
def test_invalid_input_names_its_option(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("diagnose", "山岚", *arguments)
    assert told in str(refused.value)
    assert refused.value.returncode == 2


@pytest.mark.usefixtures("db", "chinese_terminal")
def test_no_platform_available_is_explained(settings: Any) -> None:
    settings.DEMO = False
    call_command("seed", verbosity=0)
    with pytest.raises(CommandError, match="DEEPSEEK_API_KEY"):
        call_command("diagnose", "山岚", *QUESTION)


def _read_command(page: str) -> str:
    (line,) = (line for line in (PROJECT_ROOT / page).read_text().splitlines() if "manage.py diagnose" in line)
    return line


def test_command_of_the_readmes_works() -> None:
    line = _read_command("README.md")
    assert line == _read_command("README.zh-CN.md")
    command = shlex.split(line)
    assert command[:2] == [".venv/bin/python", "manage.py"]
    out = run_management_command(command[2:], create_database())
    assert "入门手冲咖啡壶推荐哪个牌子？" in command
    assert "演示数据" in out
    assert "山岚" in out
