"""The shell blocks of the operators' manual, by section, and those of the READMEs."""

import re

from testing.site import PROJECT_ROOT

INSTALL_SECTIONS = {"manual.md": "Install", "manual.zh.md": "安装"}
RESTORE_SECTIONS = {"manual.md": "Backup and restore", "manual.zh.md": "备份与恢复"}
METRICS_SECTIONS = {"manual.md": "Logs and metrics", "manual.zh.md": "日志与指标"}


def read_blocks(page: str, section: str) -> list[str]:
    """Return the shell blocks of a section of docs/operations/PAGE, in order, without indentation."""
    text = (PROJECT_ROOT / "docs" / "operations" / page).read_text()
    match = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, section
    blocks = re.findall(r"^( *)```sh\n(.*?)^\1```$", match[1], re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in block.splitlines(True)) for indent, block in blocks]


def read_readme_commands(page: str) -> tuple[str, str]:
    """Return what a README gives as the commands that run the site and that start a diagnosis in the terminal."""
    lines = (PROJECT_ROOT / page).read_text().splitlines()
    run = next(line for line in lines if line.startswith("make run"))
    diagnose = next(line for line in lines if line.startswith(".venv/bin/python manage.py diagnose"))
    return run.partition("#")[0].strip(), diagnose
