"""Bundles of the pages' scripts and styles, and pages without them."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from diagsite.web.bundles import ESBUILD, BundlingFailed, build_bundles, has_bundle
from testing.services import MissingServiceError

pytestmark = pytest.mark.django_db
ASSET_PATTERN = re.compile(r'(?:src|href)="/static/([^"]+\.(?:js|css))"')


@pytest.fixture(autouse=True)
def bundles_directory(settings: Any, tmp_path: Path) -> Path:
    """A site in development whose bundles are elsewhere than those of this checkout."""
    settings.BUNDLES_DIRECTORY = tmp_path / "bundles"
    return tmp_path / "bundles"


@pytest.fixture
def bundled() -> list[str]:
    if not ESBUILD.exists():
        raise MissingServiceError("esbuild: tools/install bundles")
    return build_bundles()


def _list_assets(client: Client, path: str = "/") -> list[str]:
    return ASSET_PATTERN.findall(client.get(path).content.decode())


def test_page_without_bundles_loads_its_files(client: Client) -> None:
    assets = _list_assets(client)
    assert {"site/css/base.css", "site/css/start.css", "presentation/format.js", "site/js/pages/start.js"} < set(assets)


def test_page_with_bundles_loads_one_script_and_one_stylesheet(client: Client, bundled: list[str]) -> None:
    for path, page in (("/", "start"), ("/history/", "history"), ("/w/", "workspaces")):
        assert _list_assets(client, path) == [f"bundles/{page}.css", f"bundles/{page}.js"]
    assert 'id="config"' in client.get("/").content.decode()


def test_bundle_contains_the_page_and_what_it_imports(bundled: list[str], bundles_directory: Path) -> None:
    assert {"site/start.html", "site/diagnosis.html", "site/workspace/overview.html"} <= set(bundled)
    script = (bundles_directory / "static" / "diagnosis.js").read_text()
    for text in ("webSocketClient", "createFormat", "/answers/summary", "正在读取回答…"):
        assert text in script
    assert not re.search(r"""\bimport\s*["'({]""", script)
    # Shared scripts see the window where they expect it, and nothing of the mini-program's own modules.
    assert "})(window," in script
    assert "getStorageSync" not in script
    assert not list(bundles_directory.rglob("*.map"))


def test_styles_are_in_the_order_of_the_page(bundled: list[str], bundles_directory: Path) -> None:
    imports = re.findall(r"/([\w]+)\.css", (bundles_directory / "entries" / "workspace" / "overview.css").read_text())
    assert imports[:4] == ["base", "components", "forms", "problems"]
    assert imports[-1] == "workspace"  # of the template that the page extends


def test_changed_source_is_served_file_by_file(client: Client, bundled: list[str], bundles_directory: Path) -> None:
    assert has_bundle("site/start.html")
    manifest = bundles_directory / "manifest.json"
    manifest.write_text(re.sub(r'(js/common/dom\.js": ")..', r"\1zz", manifest.read_text()))
    assert not has_bundle("site/start.html")
    assert "site/js/pages/start.js" in _list_assets(client)


def test_new_page_is_served_file_by_file_until_it_is_bundled(bundled: list[str]) -> None:
    assert not has_bundle("site/of_tomorrow.html")


def test_missing_bundler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("diagsite.web.bundles.ESBUILD", tmp_path / "esbuild")
    with pytest.raises(BundlingFailed, match="tools/install bundles"):
        build_bundles()
