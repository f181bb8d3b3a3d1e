"""In a browser: a diagnosis with web search at all demo platforms that search, and its sources."""

import json
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from diagnosis.platforms.seed import DEMO_SEARCH_PLATFORMS
from testing.invariants import wait_until_all_ended
from testing.site import Site, running_site
from tests.browser.test_browser import has_no_horizontal_scroll, open_page

pytestmark = pytest.mark.browser

PLATFORMS = [platform.pk for platform in DEMO_SEARCH_PLATFORMS if platform.pk != "demo-doubao-app"]
SCREENSHOTS = os.environ.get("SCREENSHOTS", "")  # a folder that keeps pictures to look at


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site(DEMO_LATENCY="0.05") as running:
        yield running


def _keep_picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.locator("#sources-section").screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def _order(page: Page) -> None:
    """Order the sample at the demo platforms that search, and one that does not, with the brand's website."""
    page.goto("/")
    page.get_by_role("button", name="填入示例").click()
    expect(page.locator("#platforms input:checked").first).to_be_attached()
    for box in page.locator("#platforms input").all():
        box.set_checked(box.input_value() in [*PLATFORMS, "demo-fast"], force=True)
    page.locator("#sites").fill("没有域名")
    page.get_by_role("button", name="开始诊断").click()
    expect(page.get_by_text("请填写域名，例如 example.com。")).to_be_visible()
    expect(page.locator("#sites")).to_be_focused()
    page.locator("#sites").fill("https://www.shanlan.example/")
    page.get_by_role("button", name="开始诊断").click()
    page.wait_for_url("**/diagnoses/*/")


def test_a_diagnosis_with_search_shows_where_its_answers_come_from(browser: Browser, site: Site) -> None:
    with open_page(browser, site, width=320) as page:
        _order(page)
        expect(page.locator("#report")).to_be_visible(timeout=60_000)
        expect(page.locator("#headline-surface")).to_have_text("测量的是：联网搜索")
        expect(page.locator("#surfaces-section thead th")).to_have_count(3)  # the brand, search, memory
        sources = page.locator("#sources-section")
        expect(sources.get_by_text("引用了官网的回答")).to_be_visible()
        expect(sources.locator(".source-platforms > li")).to_have_count(len(PLATFORMS))
        expect(sources.locator(".source-queries li").first).to_be_visible()
        assert has_no_horizontal_scroll(page)
        # By keyboard: a host, its pages, an answer that cites one of them.
        host = sources.locator(".source-line").first
        host.focus()
        page.keyboard.press("Enter")
        expect(sources.locator(".source-page a").first).to_have_attribute("rel", "noopener noreferrer nofollow")
        sources.locator(".source-answers summary").first.press("Enter")
        expect(sources.locator("mark.cited").first).to_be_visible()
        assert has_no_horizontal_scroll(page)
        _keep_picture(page, "sources-320-zh")
        sources.locator(".source-uses button").first.press("Enter")
        expect(page.locator("#answers details[open] .answer-text").first).to_be_visible()
        for width in (768, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert has_no_horizontal_scroll(page)
            _keep_picture(page, f"sources-{width}-zh")
        _keep_english_pictures(page)


def test_three_runs_with_search_are_one_trend_of_that_surface(browser: Browser, site: Site) -> None:
    device = "device-of-three-runs"
    body = {
        "brand": "山岚",
        "competitors": [{"name": "木石坊"}],
        "sites": ["www.shanlan.example"],
        "questions": ["入门手冲咖啡壶怎么选？", "手冲咖啡器具有哪些牌子？"],
        "platforms": [*PLATFORMS, "demo-fast"],
    }
    with site.client(device) as client:
        for _ in range(3):
            client.post("/api/diagnoses", json=body).raise_for_status()
            wait_until_all_ended(site)
        latest, *_older = client.get("/api/diagnoses").json()["items"]
        exported = client.get(f"/api/diagnoses/{latest['id']}/export.xlsx").raise_for_status().content
    workbook = load_workbook(BytesIO(exported), read_only=True)
    assert sum(1 for _ in workbook["来源"].rows) > len(PLATFORMS)
    with open_page(browser, site, width=320) as page:
        page.add_init_script(f"localStorage.setItem('diag.device', '{json.dumps(device)}')")
        page.goto(f"/diagnoses/{latest['id']}/")
        trend = page.locator("#trend-section")
        expect(trend.locator("#trend-summary")).to_contain_text("一共诊断过 3 次")
        expect(trend.locator(".trend-point")).to_have_count(3)
        expect(trend.locator("input[name$='-surface']")).to_have_count(2)
        assert has_no_horizontal_scroll(page)


def _keep_english_pictures(page: Page) -> None:
    page.locator("footer").get_by_role("button", name="English").click()
    expect(page.locator("#headline-surface")).to_have_text("This measures: web search")
    expect(page.get_by_text("Answers that cite your site")).to_be_visible()
    for width in (320, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert has_no_horizontal_scroll(page)
        _keep_picture(page, f"sources-{width}-en")
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"page-{width}-en.png", full_page=True)
