"""The shell blocks of the operators' manual, by section."""

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
