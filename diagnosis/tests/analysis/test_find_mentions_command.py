"""`manage.py find_mentions`: JSON lines in, JSON lines out."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command


def _run(tmp_path: Path, *lines: Any) -> list[dict[str, list[str]]]:
    path, output = tmp_path / "texts.jsonl", io.StringIO()
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    call_command("find_mentions", str(path), stdout=output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_each_text_gets_a_line(tmp_path: Path) -> None:
    named = {
        "brands": [["苹果", "Apple"], ["山岚"]],
        "text": "1. **山岚**：好看\n2. **云栖壶**：轻\n苹果也行，见 https://a.example/1",
    }
    question = {"brands": [["小米"]], "question": "手机哪个牌子好？", "text": "小米手机。"}
    assert _run(tmp_path, named, "", question) == [
        {"certain": ["山岚"], "uncertain": ["苹果"], "discovered": ["云栖壶"], "domains": ["a.example"]},
        {"certain": ["小米"], "uncertain": [], "discovered": [], "domains": []},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 2, JSON"), ({"brands": "苹果", "text": ""}, "line 2, brands"), ({"brands": []}, "line 2, text")],
)
def test_invalid_line_is_named(tmp_path: Path, line: Any, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        _run(tmp_path, {"brands": [], "text": ""}, line)
