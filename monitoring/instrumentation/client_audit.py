"""Which modules of ours call other services, read from their source, and whether they count it.

A module is a client when it calls a function, or makes an object, of a library that talks to the network. It counts its
calls when each such function is called inside `with measure_call(...)`, or inside a function that is named in such a
block of the same module; an object (a client, a message) may be made anywhere in a module that has such a block.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What talks to the network, by the name that is imported. A new library belongs here.
NETWORK_CALLS = (
    *(f"httpx.{name}" for name in ("get", "post", "put", "patch", "delete", "head", "options", "request", "stream")),
    *("httpx.Client", "httpx.AsyncClient", "openai.OpenAI", "openai.AsyncOpenAI", "websockets.connect"),
    *("requests", "aiohttp", "urllib3", "urllib.request", "http.client", "smtplib.SMTP", "smtplib.SMTP_SSL"),
    *("django.core.mail.send_mail", "django.core.mail.EmailMessage", "django.core.mail.EmailMultiAlternatives"),
    *("django.core.mail.mail_admins", "django.core.mail.get_connection", "apprise.Apprise"),
)
EXCLUDED_PACKAGES = {"tests", "migrations"}
MEASURING_CONTEXT_MANAGER = "measure_call"


@dataclass(frozen=True)
class ClientModule:
    """A module that calls others; `uncounted` names the calls that nobody counts, with their lines."""

    name: str
    uncounted_calls: tuple[str, ...]


def find_client_modules(packages: list[Path]) -> list[ClientModule]:
    """Every client among the modules of these packages, by name."""
    found = (_audit_module(path, package.parent) for package in packages for path in sorted(package.rglob("*.py")))
    return [module for module in found if module is not None]


def _audit_module(path: Path, root: Path) -> ClientModule | None:
    parts = path.relative_to(root).with_suffix("").parts
    if EXCLUDED_PACKAGES & set(parts):
        return None
    tree = ast.parse(path.read_bytes())
    calls = list(_find_network_calls(tree))
    if not calls:
        return None
    return ClientModule(
        ".".join(part for part in parts if part != "__init__"), tuple(_find_uncounted_calls(tree, calls))
    )


def _find_network_calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    names = dict(_iter_imported_names(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, *rest = _get_dotted_name(node.func).split(".")
            full_name = ".".join([names.get(first, ""), *rest])
            if any(full_name == one or full_name.startswith(f"{one}.") for one in NETWORK_CALLS):
                yield node, full_name


def _iter_imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that imports bring, wherever in the module they stand, and what each stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (first, first)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _get_dotted_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_get_dotted_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _find_uncounted_calls(tree: ast.Module, calls: list[tuple[ast.Call, str]]) -> Iterator[str]:
    blocks = [
        node for node in ast.walk(tree) if isinstance(node, ast.With | ast.AsyncWith) and _is_measuring_block(node)
    ]
    counted_node_ids = {id(node) for block in blocks for node in ast.walk(block)}
    called_names = {name for block in blocks for name in _iter_names(block)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    counted_node_ids |= {
        id(node) for function in functions if function.name in called_names for node in ast.walk(function)
    }
    for call, full_name in calls:
        makes_object = any(part[:1].isupper() for part in full_name.split(".")) and bool(blocks)
        if id(call) not in counted_node_ids and not makes_object:
            yield f"{full_name} in line {call.lineno}"


def _is_measuring_block(block: ast.With | ast.AsyncWith) -> bool:
    return any(
        isinstance(item.context_expr, ast.Call)
        and _get_dotted_name(item.context_expr.func).rpartition(".")[2] == MEASURING_CONTEXT_MANAGER
        for item in block.items
    )


def _iter_names(block: ast.AST) -> Iterator[str]:
    for node in ast.walk(block):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
