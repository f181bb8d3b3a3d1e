"""The commands speak the language of the terminal."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError

from errors.management.base import SiteCommand, parse_time_option
from errors.terminal import get_terminal_language

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_SENTENCE = re.compile(r"[a-z]+(?: [a-z]+){4}")
COMMANDS = sorted(path.stem for path in Path(settings.BASE_DIR).glob("*/management/commands/[!_]*.py"))
LOCALE_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture
def set_locale(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_variables(**values: str) -> None:
        for name in LOCALE_VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_variables


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-hans"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, "zh-hans"),
    ],
)
def test_language_follows_the_locale(set_locale: Any, variables: dict[str, str], language: str) -> None:
    set_locale(**variables)
    assert get_terminal_language() == language


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_in_the_language_of_the_terminal(set_locale: Any, name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, SiteCommand)
    set_locale(LANG="zh_CN.UTF-8")
    parser = command.create_parser("manage.py", name)
    texts = [str(parser.description), *(group.title for group in parser._action_groups if group._group_actions)]
    texts += [action.help for action in parser._actions if action.help]
    assert [text for text in texts if not CHINESE.search(text)] == []
    assert ENGLISH_SENTENCE.findall(parser.format_help()) == []
    set_locale(LANG="C.UTF-8")
    parser = command.create_parser("manage.py", name)
    assert parser.format_help().startswith("usage: ")
    assert str(parser.description) != texts[0]
    assert [action.help for action in parser._actions if CHINESE.search(action.help or "")] == []


def test_errors_are_in_the_language_of_the_terminal(set_locale: Any, capsys: pytest.CaptureFixture[str]) -> None:
    set_locale(LANG="zh_CN.UTF-8")
    with pytest.raises(CommandError, match="不是时间"):
        parse_time_option("soon")
    command = load_command_class("monitoring", "evaluate_alerts")
    with pytest.raises(SystemExit):
        command.run_from_argv(["manage.py", "evaluate_alerts", "--at"])
    assert "参数 --at：需要一个值" in capsys.readouterr().err
