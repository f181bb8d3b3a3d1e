"""In a browser: from the name of a brand to its first run, an import with mixed lines, and a found name accepted."""

import io
import json
import os
import re
import threading
from collections.abc import Iterator

import openpyxl
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from testing.fakes.platform import FakePlatform, respond_with_answer
from testing.invariants import wait_until_all_ended
from testing.site import Site, running_site
from tests.browser.test_browser import has_no_horizontal_scroll, open_page

pytestmark = pytest.mark.browser

DEVICE = "device-of-a-brand"
ANSWER = "山岚和木石坊都不错，也有人买**铁匠铺**的壶。\n\n1. 山岚\n2. 木石坊\n3. 铁匠铺"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with FakePlatform() as fake, running_site() as running:
        fake.set_behaviour(respond_with_answer(ANSWER))
        running.add_platform("fake", fake.base_url, concurrency=20, price_per_call="0.02")
        yield running


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """At 320 px."""
    with open_page(browser, site, width=320) as page:
        page.add_init_script(f"localStorage.setItem('diag.device', '{json.dumps(DEVICE)}')")
        yield page


def _shoot(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        for width in (320, 768, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)
        page.set_viewport_size({"width": 320, "height": 800})


def _make_workbook() -> bytes:
    book, target = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in (("送礼买什么壶？", "送礼"), (), ("送礼买什么壶？",), ("x" * 501,)):
        book.active.append(row)
    book.save(target)
    return target.getvalue()


def _start_a_brand(page: Page, site: Site) -> str:
    """Fill in the form of a new brand, run it, and return the address of its workspace."""
    page.goto("/w/")
    page.get_by_role("link", name="新品牌").click()
    expect(page.locator("#platforms input").first).to_be_attached()
    page.locator("#brand").fill("山岚 Shanlan")
    page.get_by_role("button", name="+ 山岚").click()
    expect(page.locator("#aliases")).to_have_value("山岚")
    page.locator("[name=competitor]").first.fill("木石坊")
    page.locator("#template-product").fill("手冲壶")
    page.get_by_role("button", name="手冲壶推荐哪个牌子？").click()
    for box in page.locator("#platforms input").all():
        box.set_checked(box.input_value() == "fake", force=True)
    assert has_no_horizontal_scroll(page)
    _shoot(page, "new")
    page.get_by_role("button", name="开始诊断").click()
    page.wait_for_url("**/diagnoses/*/")
    wait_until_all_ended(site)
    page.goto("/w/")
    page.get_by_role("link", name="山岚 Shanlan").click()
    expect(page.locator("#headline")).to_contain_text("第一次诊断已完成")
    return page.url


def test_a_brand_is_started_questions_are_imported_and_a_found_name_is_accepted(page: Page, site: Site) -> None:
    address = _start_a_brand(page, site)
    page.get_by_role("link", name="历次诊断").click()
    run = page.locator("#runs .run")
    expect(run).to_contain_text("主要问题，第 1 版")
    expect(run).to_contain_text("1 / 1 条回答提到")
    assert has_no_horizontal_scroll(page)
    _shoot(page, "runs")

    page.get_by_role("link", name="问题库").click()
    expect(page.locator("#question-count")).to_have_text("1 / 500")
    page.locator("#import-file").set_input_files({"name": "q.xlsx", "mimeType": "", "buffer": _make_workbook()})
    page.get_by_role("button", name="逐行检查").click()
    expect(page.locator("#import-summary")).to_have_text("1 行可以保存，3 行被拒")
    expect(page.locator("#import-summary")).to_be_focused()
    expect(page.locator("#import-lines tr")).to_have_count(4)
    expect(page.locator("#import-lines tr").nth(2)).to_contain_text("与第 1 行相同")
    expect(page.locator("#question-count")).to_have_text("1 / 500")
    with page.expect_download() as download:
        page.get_by_role("button", name="下载被拒的行").click()
    assert len(download.value.path().read_text().splitlines()) == 4
    assert has_no_horizontal_scroll(page)
    _shoot(page, "import")
    page.get_by_role("button", name="保存 1 行").click()
    expect(page.locator("#question-count")).to_have_text("2 / 500")
    expect(page.locator("#questions > li")).to_have_count(2)
    page.get_by_role("button", name="修改：主要问题").click()
    page.locator("#panel-questions label", has_text="送礼").click()
    expect(page.locator("#panel-estimate")).to_contain_text("2 次调用")
    _shoot(page, "panel")
    page.locator("#panel-form").get_by_role("button", name="保存").click()
    expect(page.locator("#panels")).to_contain_text("第 2 版")
    page.get_by_role("button", name="运行：主要问题").click()
    expect(page.get_by_role("dialog")).to_contain_text("预计费用 约 ¥0.04")
    page.keyboard.press("Escape")

    page.goto(f"{address}competitors/")
    found = page.locator("#found li", has_text="铁匠铺")
    expect(found).to_contain_text("1 条回答")
    assert has_no_horizontal_scroll(page)
    _shoot(page, "competitors")
    found.get_by_role("button", name="设为竞品").click()
    row = page.get_by_role("dialog").locator("tbody tr", has_text="铁匠铺")
    expect(row).to_contain_text("会变")
    _shoot(page, "preview")
    page.get_by_role("dialog").get_by_role("button", name="应用").click()
    tracked = page.locator("#brands li", has_text="铁匠铺")
    expect(tracked).to_contain_text("1 / 1 条回答提到", timeout=30_000)
    expect(page.locator("#found-heading")).to_be_focused()
    assert has_no_horizontal_scroll(page)


def test_text_that_is_typed_before_the_scripts_are_loaded_stays(page: Page) -> None:
    held: list[Route] = []
    is_typed = threading.Event()
    scripts = re.compile(r"(start|order_form)[.\w]*\.js")
    page.route(scripts, lambda route: route.continue_() if is_typed.is_set() else held.append(route))
    page.goto("/", wait_until="commit")
    page.locator("#brand").fill("早写的山岚")
    is_typed.set()
    for route in held:
        route.continue_()
    expect(page.locator("#platforms input").first).to_be_attached()
    expect(page.locator("#brand")).to_have_value("早写的山岚")
