"""Finds the modules that call other services, by their source, and the calls that are not counted.

A module is a client if it calls a function, or creates an object, of a network library. A function call is counted if
it is inside `with measure_call(...)`, or inside a function that such a block of the same module refers to. An object (a
client, a message) may be created anywhere in a module that has such a block.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Functions and classes that use the network, by their imported name. Add new libraries here.
NETWORK_CALLS = (
    *(f"httpx.{name}" for name in ("get", "post", "put", "patch", "delete", "head", "options", "request", "stream")),
    *("httpx.Client", "httpx.AsyncClient", "aiohttp.ClientSession", "websockets.connect"),
    *("requests", "aiohttp.request", "urllib3", "urllib.request", "http.client", "smtplib.SMTP", "smtplib.SMTP_SSL"),
    *("django.core.mail.send_mail", "django.core.mail.EmailMessage", "django.core.mail.EmailMultiAlternatives"),
    *("django.core.mail.mail_admins", "django.core.mail.get_connection", "apprise.Apprise"),
)
# Functions of the project that create such a client.
CLIENT_FACTORY = re.compile(r"\.create_\w+_client$")
EXCLUDED_PACKAGES = {"tests", "migrations"}
MEASURING_CONTEXT_MANAGER = "measure_call"


@dataclass(frozen=True)
class ClientModule:
    """A module that calls other services, with its uncounted calls and their lines."""

    name: str
    uncounted_calls: tuple[str, ...]


def find_client_modules(packages: list[Path]) -> list[ClientModule]:
    """Return every client module of the packages, ordered by name."""
    modules = []
    for package in packages:
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            if EXCLUDED_PACKAGES & set(parts):
                continue
            tree = ast.parse(path.read_bytes())
            calls = list(_find_network_calls(tree))
            if calls:
                name = ".".join(part for part in parts if part != "__init__")
                modules.append(ClientModule(name, tuple(_find_uncounted_calls(tree, calls))))
    return modules


def _find_network_calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    names = {}  # full name by local name
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.split(".")[0]
                names[alias.asname or package] = alias.name if alias.asname else package
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, *rest = _get_dotted_name(node.func).split(".")
            full_name = ".".join([names.get(first, ""), *rest])
            is_network_call = any(full_name == name or full_name.startswith(f"{name}.") for name in NETWORK_CALLS)
            if is_network_call or CLIENT_FACTORY.search(full_name):
                yield node, full_name


def _get_dotted_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_get_dotted_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _find_uncounted_calls(tree: ast.Module, calls: list[tuple[ast.Call, str]]) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    blocks = [
        node
        for node in nodes
        if isinstance(node, ast.With | ast.AsyncWith)
        for item in node.items
        if isinstance(item.context_expr, ast.Call)
        and _get_dotted_name(item.context_expr.func).rpartition(".")[2] == MEASURING_CONTEXT_MANAGER
    ]
    block_nodes = [node for block in blocks for node in ast.walk(block)]
    names = {node.id for node in block_nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in block_nodes if isinstance(node, ast.Attribute)}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    counted_node_ids = {id(node) for node in block_nodes}
    counted_node_ids |= {id(node) for function in functions if function.name in names for node in ast.walk(function)}
    for call, full_name in calls:
        makes_object = any(part[:1].isupper() for part in full_name.split(".")) and bool(blocks)
        if id(call) not in counted_node_ids and not makes_object:
            yield f"{full_name} in line {call.lineno}"
