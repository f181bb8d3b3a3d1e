"""The examples of docs/guide/performance.md are executed."""

import ast
import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from testing.site import PROJECT_ROOT

EXAMPLES = re.findall(r"```python\n(.*?)```", (PROJECT_ROOT / "docs/guide/performance.md").read_text(), re.DOTALL)


async def diagnose() -> str:
    return "done"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("example", EXAMPLES, ids=["concurrency", "rate", "cache"])
async def test_an_example_runs(example: str) -> None:
    namespace: dict[str, Any] = {"diagnose": diagnose, "build_body": lambda: "body"}
    if "await" in example:
        code = compile(example, "docs/guide/performance.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        await eval(code, namespace)
        assert namespace["result"] == "done"
    else:
        await sync_to_async(exec)(compile(example, "docs/guide/performance.md", "exec"), namespace)
        assert namespace["body"] == "body"
        assert namespace["cache"].get("key") == {"any": "JSON"}
