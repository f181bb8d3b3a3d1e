"""In a browser: the trend of a panel, two diagnoses compared, a schedule made, paused and deleted, what is unread."""

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from testing.fakes.platform import FakePlatform, respond_with_answer
from testing.invariants import wait_until_all_ended
from testing.site import Site, running_site
from tests.browser.test_browser import has_no_horizontal_scroll, open_page

pytestmark = pytest.mark.browser

DEVICE = "device-of-the-owner"
QUESTIONS = [f"手冲壶怎么选，第 {number} 问？" for number in range(1, 11)]
QUIET, LOUD = "木石坊做工扎实。", "山岚和木石坊都不错。"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with FakePlatform() as fake, running_site() as running:
        running.add_platform("fake", fake.base_url, concurrency=20, price_per_call="0.02")
        with running.client(DEVICE) as client:
            for text in (QUIET, QUIET, LOUD):
                fake.set_behaviour(respond_with_answer(text))
                _order(client)
                wait_until_all_ended(running)
        yield running


def _order(client: httpx.Client) -> None:
    body = {"brand": "山岚", "competitors": [{"name": "木石坊"}], "questions": QUESTIONS, "platforms": ["fake"]}
    client.post("/api/diagnoses", json=body | {"repeats": 3}).raise_for_status()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """At 320 px, on the device that ordered the three."""
    with open_page(browser, site, width=320) as page:
        page.add_init_script(f"localStorage.setItem('diag.device', '{json.dumps(DEVICE)}')")
        yield page


def _report(site: Site) -> str:
    return str(site.query("SELECT id FROM diagnosis_diagnosis ORDER BY created_at DESC LIMIT 1")[0][0])


def test_the_trend_tells_a_real_rise_and_calls_nothing_else_one(page: Page, site: Site) -> None:
    page.goto(f"/diagnoses/{_report(site)}/")
    trend = page.locator("#trend-section")
    expect(trend.locator("#trend-summary")).to_contain_text("一共诊断过 3 次")
    expect(trend.locator("#trend-summary")).to_contain_text("上升")
    expect(trend.locator(".trend-point")).to_have_count(3)
    assert [line.get_attribute("data-changed") for line in trend.locator(".trend-line").all()] == ["none", "up"]
    trend.get_by_text("查看数据").click()
    newest, middle, oldest = trend.locator("#trend-rows tr").all()
    expect(newest).to_contain_text("100 个百分点")
    expect(middle).to_contain_text("无显著变化")
    expect(oldest.locator("td").last).to_have_text("–")
    trend.locator("label", has_text="木石坊").click()
    expect(trend.locator("#trend-rows tr").first).to_contain_text("无显著变化")
    assert has_no_horizontal_scroll(page)


def test_the_overview_of_a_brand_tells_the_rise_and_leads_to_its_answers(page: Page, site: Site) -> None:
    page.goto("/w/")
    page.get_by_role("link", name="山岚").click()
    expect(page.locator("#headline")).to_have_text("山岚 0% → 100%")
    expect(page.locator("#headline-notes")).to_contain_text("+100 个百分点")
    tile = page.locator("#tiles .tile").first
    expect(tile).to_contain_text("100%")
    expect(tile).to_contain_text("30 / 30 条回答")
    expect(tile).to_contain_text("上次 0% · 显著上升")
    expect(page.locator("#trend-chart .trend-point")).to_have_count(3)
    expect(page.locator("#trend-rows tr")).to_have_count(3)
    expect(page.locator("#platforms li")).to_contain_text("30 / 30 条回答提到")
    assert has_no_horizontal_scroll(page)
    page.get_by_role("button", name="English").click()
    expect(page.locator("#trend-section summary")).to_have_text("Show the data")
    assert has_no_horizontal_scroll(page)
    tile.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/diagnoses/{_report(site)}/")
    expect(page.locator("#answers .answer")).to_have_count(30)


def test_two_ticked_diagnoses_are_compared_oldest_first(page: Page) -> None:
    page.goto("/history/")
    boxes = page.locator(".compare-checkbox")
    expect(boxes).to_have_count(3)
    boxes.nth(0).check()
    expect(page.locator("#compare")).to_be_disabled()
    boxes.nth(2).focus()
    page.keyboard.press("Space")
    expect(boxes.nth(1)).to_be_disabled()
    page.get_by_role("button", name="比较", exact=True).click()
    expect(page.locator("#changes li").first).to_contain_text("山岚")
    expect(page.locator("#changes li").first).to_contain_text("0% → 100%")
    expect(page.locator("#changes li").nth(1)).to_contain_text("无显著变化")
    expect(page.locator("#differences-section")).to_be_hidden()
    expect(page.locator("#compared-platforms tr")).to_contain_text("100%")
    cell = page.locator(".compared-cell").first
    cell.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(cell.locator(".compared-answers section")).to_have_count(2)
    expect(cell.locator(".compared-answers mark.own").first).to_have_text("山岚")
    assert has_no_horizontal_scroll(page)


def test_a_schedule_shows_its_estimate_then_starts_pauses_and_goes(page: Page, site: Site) -> None:
    page.goto(f"/diagnoses/{_report(site)}/")
    page.get_by_role("link", name="定期重复").click()
    expect(page.locator("#estimate")).to_contain_text("30 次调用")
    expect(page.locator("#budget_calls")).to_have_value("150")
    expect(page.locator("#budget_money")).to_have_value("3.00")
    expect(page.locator("#budget-status")).to_have_text("预算够一个月里的每一次。")
    page.locator("#budget_calls").fill("29")
    expect(page.locator("#budget-status")).to_contain_text("调用次数预算不足")
    page.get_by_role("button", name="开始定期诊断").click()
    expect(page.locator("#budget_calls")).to_be_focused()
    expect(page.locator("#budget_calls")).to_have_attribute("aria-invalid", "true")
    page.locator("label", has_text="每月").first.click()
    expect(page.locator("#budget_calls")).to_have_value("30")
    page.locator("#day").select_option("31")
    page.get_by_role("button", name="开始定期诊断").click()
    schedule = page.locator(".schedule")
    expect(schedule).to_contain_text("每月 31 日 09:00")
    expect(schedule).to_contain_text("09:00（Asia/Shanghai）")
    expect(page.locator("#list-heading")).to_be_focused()
    _try_to_make_it_twice(page, site)
    schedule.get_by_role("button", name="暂停").click()
    expect(schedule).to_contain_text("已暂停")
    assert has_no_horizontal_scroll(page)
    schedule.get_by_role("button", name="删除").click()
    page.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(schedule).to_have_count(0)


def _try_to_make_it_twice(page: Page, site: Site) -> None:
    """The same panel every day at the same time needs a confirmation; Escape declines."""
    page.goto(f"/diagnoses/{_report(site)}/")
    page.get_by_role("link", name="定期重复").click()
    page.locator("label", has_text="每天").click()
    expect(page.locator("#estimate")).to_contain_text("最多 31 次运行")
    assert has_no_horizontal_scroll(page)
    page.get_by_role("button", name="开始定期诊断").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("重复付费")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator(".schedule")).to_have_count(1)


def test_what_moved_is_unread_until_it_is_read(page: Page, site: Site) -> None:
    move = {"name": "山岚", "is_own": True, "before": 0, "after": 1, "low": 0.8, "high": 1, "changed": "up"}
    site.query(
        "INSERT INTO diagsite_notice (kind, owner_id, diagnosis_id, data, state, due_at, attempts, reason) SELECT "
        "'moved', owner_id, id, %s, 'on_page', now(), 0, '' FROM diagnosis_diagnosis WHERE id = %s RETURNING id",
        json.dumps({"moves": [move]}),
        _report(site),
    )
    page.goto("/history/")
    expect(page.locator("#notifications")).to_contain_text("0% → 100%")
    expect(page.locator(".diagnosis-item").first).to_contain_text("有变化")
    assert has_no_horizontal_scroll(page)
    page.get_by_role("button", name="知道了", exact=True).click()
    expect(page.locator("#notifications-section")).to_be_hidden()
    expect(page.locator(".notification-mark")).to_have_count(0)


def test_filters_are_in_the_address_and_hold_after_a_reload(page: Page) -> None:
    page.goto("/history/?since=2001-01-01&until=2001-01-02&scheduled=true")
    expect(page.locator("#history")).to_contain_text("没有符合条件的诊断")
    expect(page.locator("#since")).to_have_value("2001-01-01")
    page.locator("#until").fill("2000-12-31")
    expect(page.get_by_text("结束日期早于开始日期。")).to_be_visible()
    assert page.locator("#until").get_attribute("aria-invalid") == "true"
    page.locator("#since").fill("")
    page.locator("#until").fill("")
    page.locator("#scheduled").uncheck()
    expect(page.locator(".diagnosis-item")).to_have_count(3)
    assert page.url.endswith("/history/")
