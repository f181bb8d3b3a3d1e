"""One script and one stylesheet for each page, made of the files that its template names.

`manage.py bundle_pages` makes them in `var/bundles`. A page without a bundle, or with one whose sources have changed
since, loads the files themselves.
"""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.base import FilterExpression, Node, Template, TextNode
from django.template.loader import get_template
from django.template.loader_tags import BlockNode, ExtendsNode
from django.templatetags.static import StaticNode

ESBUILD = settings.BASE_DIR / "tools" / "bundles" / "node_modules" / ".bin" / "esbuild"
MANIFEST_NAME = "manifest.json"
BASE_TEMPLATE = "site/base.html"
TEMPLATES_DIRECTORY = settings.BASE_DIR / "templates"
ASSET_PATTERN = re.compile(r"""<(link|script)\b([^>]*)static:([^"]+\.(?:css|js))\"""")
OPTIONS = ["--minify", "--target=es2022", "--charset=utf8", "--log-level=warning"]


class BundlingFailed(Exception):
    """The bundler is not installed, or refused a file."""


@dataclass(frozen=True)
class PageAssets:
    """The files of a page in the order of its HTML. scripts: those that are not modules."""

    styles: list[Path]
    scripts: list[Path]
    modules: list[Path]


def build_bundles() -> list[str]:
    """Bundle the files of every page; returns the templates of the pages. Raises BundlingFailed."""
    if not ESBUILD.exists():
        raise BundlingFailed("esbuild is not installed; install it with tools/install bundles")
    remove_bundles()
    pages = {template: _list_assets(template) for template in _find_page_templates()}
    scripts = _minify_scripts({path for assets in pages.values() for path in assets.scripts})
    bundled = _bundle_modules(pages)
    for template, assets in pages.items():
        bundle = settings.BUNDLES_DIRECTORY / "static" / f"{get_page_name(template)}.js"
        bundle.write_text("".join(scripts[path] for path in assets.scripts) + bundle.read_text())
    templates = {Path(str(template.origin.name)) for name in pages for template in _load_templates(name)}
    sources = templates | bundled | set(scripts)
    manifest = {
        "pages": list(pages),
        "sources": {str(path.relative_to(settings.BASE_DIR)): _hash_file(path) for path in sorted(sources)},
    }
    (settings.BUNDLES_DIRECTORY / MANIFEST_NAME).write_text(json.dumps(manifest, indent=1))
    return list(pages)


def remove_bundles() -> None:
    """Have every page load its files one by one."""
    shutil.rmtree(settings.BUNDLES_DIRECTORY, ignore_errors=True)


def has_bundle(template_name: str) -> bool:
    """Whether a page's bundle exists and contains what its sources contain now; in production as of the start."""
    return template_name in (_read_current_pages_once() if settings.PRODUCTION else _read_current_pages())


@cache
def _read_current_pages_once() -> frozenset[str]:
    return _read_current_pages()


def _read_current_pages() -> frozenset[str]:
    path = settings.BUNDLES_DIRECTORY / MANIFEST_NAME
    if not path.exists():
        return frozenset()
    manifest = json.loads(path.read_text())
    is_current = all(_hash_file(settings.BASE_DIR / path) == digest for path, digest in manifest["sources"].items())
    return frozenset(manifest["pages"] if is_current else ())


def _hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def get_page_name(template_name: str) -> str:
    """Return the name of a page's bundle: `workspace/overview` of `site/workspace/overview.html`."""
    return template_name.removeprefix("site/").removesuffix(".html")


def _find_page_templates() -> list[str]:
    paths = sorted((TEMPLATES_DIRECTORY / "site").rglob("*.html"))
    names = [str(path.relative_to(TEMPLATES_DIRECTORY)) for path in paths]
    return [name for name in names if BASE_TEMPLATE in [one.name for one in _load_templates(name)[:-1]]]


def _load_templates(name: str) -> list[Template]:
    """Return a template and those it extends, the outermost first."""
    template: Template = get_template(name).template  # type: ignore[attr-defined]
    extended = [node.parent_name for node in template.nodelist if isinstance(node, ExtendsNode)]
    parents = [name.var for name in extended if isinstance(name, FilterExpression)]
    return [*(_load_templates(str(parents[0])) if parents else []), template]


def _list_assets(template_name: str) -> PageAssets:
    templates = _load_templates(template_name)
    nodes = [node for template in templates for node in template.nodelist.get_nodes_by_type(BlockNode)]
    blocks = {node.name: node for node in nodes if isinstance(node, BlockNode)}
    assets = PageAssets([], [], [])
    for tag, attributes, name in ASSET_PATTERN.findall("".join(_iter_html(templates[0].nodelist, blocks))):
        is_module = 'type="module"' in attributes
        files = assets.styles if tag == "link" else assets.modules if is_module else assets.scripts
        files.append(Path(str(finders.find(name))))
    return assets


def _iter_html(nodes: Iterable[Node], blocks: Mapping[str, BlockNode]) -> Iterator[str]:
    """Yield the HTML of a template, with `static:` before the paths of static files and without any values."""
    for node in nodes:
        if isinstance(node, TextNode):
            yield node.s
        elif isinstance(node, StaticNode):
            yield f"static:{node.path.var}"
        elif isinstance(node, BlockNode):
            yield from _iter_html(blocks[node.name].nodelist, blocks)
        else:
            for attribute in node.child_nodelists:
                yield from _iter_html(getattr(node, attribute, ()), blocks)


def _minify_scripts(paths: Iterable[Path]) -> Mapping[Path, str]:
    """Return the scripts as parts of a module, in which `this` is not the window."""
    minified = {}
    for path in paths:
        minified[path] = _run_esbuild(str(path), "--define:this=window")
    return minified


def _bundle_modules(pages: Mapping[str, PageAssets]) -> set[Path]:
    """Write the bundles of styles and modules; returns the files in them."""
    directory: Path = settings.BUNDLES_DIRECTORY
    entries = []
    for template, assets in pages.items():
        for suffix, statement, paths in ((".css", "@import", assets.styles), (".js", "import", assets.modules)):
            entry = directory / "entries" / f"{get_page_name(template)}{suffix}"
            entry.parent.mkdir(parents=True, exist_ok=True)
            entry.write_text("".join(f"{statement} {json.dumps(str(path))};\n" for path in paths))
            entries.append(entry)
    metafile = directory / "meta.json"
    output = [f"--outdir={directory / 'static'}", f"--outbase={directory / 'entries'}", f"--metafile={metafile}"]
    _run_esbuild(*map(str, entries), "--bundle", "--format=esm", *output)
    return {(settings.BASE_DIR / path).resolve() for path in json.loads(metafile.read_text())["inputs"]} - set(entries)


def _run_esbuild(*arguments: str) -> str:
    done = subprocess.run([str(ESBUILD), *arguments, *OPTIONS], cwd=settings.BASE_DIR, capture_output=True, text=True)
    if done.returncode:
        raise BundlingFailed(done.stderr)
    return done.stdout
