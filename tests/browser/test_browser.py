"""The whole way in a real browser: start, live progress, a reload in the middle, the report; and how fast it is."""

import json
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.invariants import request_diagnosis, wait_until_all_ended
from testing.services import get_load_factor, wait_until
from testing.site import Site, running_site

DEVICE = "device-of-a-browser"
HOSTILE = [
    "<script>alert(1)</script>山岚不错<img src=x onerror=alert(1)>",
    "</p></details></template><a href=javascript:alert(1)>山岚</a>",
    "\u202e岚山\u202c {{ 7*7 }} ${7*7} 山岚",
]

# The browser's own clock on each frame's arrival, without a detour through the test process.
RECORD_ARRIVALS = """
window.arrivals = {};
window.sockets = 0;
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  constructor(...given) {
    super(...given);
    window.sockets += 1;
    this.addEventListener("message", (message) => {
      const frame = JSON.parse(message.data);
      for (const [seq] of frame.e || []) window.arrivals[seq] ??= Date.now();
    });
  }
};
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def fake() -> Iterator[FakePlatform]:
    """A platform whose pace a test decides, so that a slow machine is only slow."""
    with FakePlatform() as platform:
        yield platform


@pytest.fixture(scope="module")
def site(fake: FakePlatform) -> Iterator[Site]:
    """One site for the module, with the demo platform at a third of its waits."""
    with running_site(DEMO_LATENCY="0.3") as running:
        running.add_platform("fake", fake.base_url)
        yield running


@pytest.fixture
def three_answers(fake: FakePlatform) -> Iterator[FakePlatform]:
    """It answers three calls and holds the others until it is released."""
    fake.hold_new_calls()
    fake.set_behaviour(respond_with_answer(), respond_with_answer(), respond_with_answer("山岚不错"), hold_response())
    yield fake
    fake.release()


@contextmanager
def open_page(browser: Browser, site: Site, *, width: int = 375, locale: str = "zh-CN") -> Iterator[Page]:
    """A page on a phone of its own; every browser error fails the test."""
    context = browser.new_context(base_url=site.url, locale=locale, viewport={"width": width, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.add_init_script(RECORD_ARRIVALS)
    yield page
    context.close()
    assert complaints == []


def start_the_sample(page: Page, *, repeats: int = 5, platform: str = "") -> str:
    """Fill in the example, start it (at one platform of the test's choice), and return the diagnosis' id."""
    page.goto("/")
    page.get_by_role("button", name="填入示例").click()
    if platform:
        expect(page.locator("#platforms input:checked").first).to_be_attached()
        for box in page.locator("#platforms input").all():
            box.set_checked(box.input_value() == platform, force=True)
    page.locator(f"label:has(#repeats-{repeats})").click()
    page.get_by_role("button", name="开始诊断").click()
    page.wait_for_url("**/diagnoses/*/")
    return page.url.rstrip("/").rsplit("/", 1)[1]


def percent(page: Page) -> int:
    """What the progress bar says."""
    return int(page.locator("#bar").get_attribute("aria-valuenow") or 0)


def has_no_horizontal_scroll(page: Page) -> bool:
    """Whether the page fits the width of the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_diagnosis_is_started_watched_reloaded_and_read(
    browser: Browser, site: Site, three_answers: FakePlatform
) -> None:
    with open_page(browser, site) as page:
        start_the_sample(page, platform="fake")
        expect(page.locator("#count-valid")).to_have_text("3")
        before = percent(page)
        page.reload()
        expect(page.locator("#count-valid")).to_have_text("3")
        assert percent(page) == before > 0
        three_answers.release()
        expect(page.locator("#report")).to_be_visible()
        expect(page.locator("#coverage")).to_contain_text("15 / 15 有效")
        expect(page.locator("#figures tr").first).to_contain_text("山岚")
        expect(page.locator("#ai-label")).to_contain_text("AI")
        expect(page.locator("#demo-banner")).to_be_hidden()
        assert page.evaluate("window.sockets") == 1  # one connection for the whole of the progress
        page.goto("/history/")
        expect(page.get_by_text("山岚").first).to_be_visible()


def test_no_page_is_wider_than_the_smallest_phone(browser: Browser, site: Site) -> None:
    with open_page(browser, site, width=320) as page:
        start_the_sample(page, repeats=1)
        expect(page.locator("#report")).to_be_visible()
        expect(page.locator("#demo-banner")).to_be_visible()
        assert has_no_horizontal_scroll(page)
        for path in ("/", "/history/"):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert has_no_horizontal_scroll(page), path


def test_a_cancelled_diagnosis_keeps_its_answers(browser: Browser, site: Site, three_answers: FakePlatform) -> None:
    with open_page(browser, site) as page:
        start_the_sample(page, platform="fake")
        expect(page.locator("#count-valid")).to_have_text("3")
        page.locator("#cancel").click()
        page.get_by_role("dialog").get_by_role("button", name="取消诊断").click()
        expect(page.locator("#status")).to_contain_text("已取消")
        expect(page.locator("#report")).to_be_visible()
        expect(page.locator("#coverage")).to_contain_text("3 / 15 有效")


def test_pasted_lines_keep_what_is_typed_and_none_is_lost(browser: Browser, site: Site) -> None:
    paste = """text => {
        const data = new DataTransfer();
        data.setData("text", text);
        const options = {clipboardData: data, bubbles: true, cancelable: true};
        document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
    }"""
    with open_page(browser, site, width=320) as page:
        page.goto("/")
        inputs = page.locator("#questions textarea")
        inputs.nth(1).fill("已经写好的？")
        inputs.nth(1).focus()
        page.evaluate(paste, "\n".join(f"第 {number} 行？" for number in range(25)))
        expect(inputs).to_have_count(20)
        texts = [box.input_value() for box in inputs.all()]
        assert texts == ["已经写好的？", *(f"第 {number} 行？" for number in range(19))]
        expect(page.locator("#rejected-lines li")).to_have_text([f"第 {number} 行？" for number in range(19, 25)])
        # The Enter that ends a composition in Safari stays in its row.
        inputs.first.focus()
        page.evaluate(
            """document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", {key: "Enter", keyCode: 229, bubbles: true, cancelable: true}))"""
        )
        expect(inputs.first).to_be_focused()
        assert has_no_horizontal_scroll(page)


def test_sites_of_competitors_are_sent_and_kept_for_the_next_diagnosis(browser: Browser, site: Site) -> None:
    with open_page(browser, site) as page:
        page.goto("/")
        page.get_by_role("button", name="填入示例").click()
        sites = page.locator("[name=competitor_sites]")
        sites.first.fill("没有点")
        page.get_by_role("button", name="开始诊断").click()
        expect(sites.first).to_be_focused()
        sites.first.fill("https://www.yunqi.example/shop")
        expect(page.locator("#platforms input:checked").first).to_be_attached()
        page.get_by_role("button", name="开始诊断").click()
        page.wait_for_url("**/diagnoses/*/")
        wait_until_all_ended(site)
        page.locator("#again").click()
        expect(sites.first).to_have_value("yunqi.example")
        # A new form suggests them.
        page.goto("/")
        page.locator("#competitors .remove").first.click()
        page.locator("#brand").fill("山岚")
        suggestion = page.locator("#suggestions button").first
        name = (suggestion.text_content() or "").removeprefix("+ ")
        suggestion.click()
        expect(page.locator("[name=competitor]").last).to_have_value(name)
        expect(page.locator("#suggestions")).not_to_contain_text(name)


def test_answers_are_filtered_and_tiles_lead_to_their_sections(
    browser: Browser, site: Site, fake: FakePlatform
) -> None:
    fake.set_behaviour(
        respond_with_answer("山岚不错。"), respond_with_answer("云栖壶更好。"), respond_with_answer("都行。")
    )
    with open_page(browser, site, width=320) as page:
        start_the_sample(page, repeats=1, platform="fake")
        tiles = page.locator("#tiles .tile")
        expect(tiles.first).to_contain_text("33%")
        expect(tiles.first).to_contain_text("1 / 3 条回答提到")
        tiles.first.click()
        expect(page.locator("#figures-section")).to_be_in_viewport()
        expect(page.locator("#section-nav a", has_text="各品牌的可见度")).to_have_attribute("href", "#figures-section")
        answers = page.locator("#answers .answer:visible")
        expect(answers).to_have_count(3)
        page.get_by_label("提到的品牌").select_option(label="只提到竞品")
        expect(answers).to_have_count(1)
        expect(page.locator("#filter-count")).to_have_text("显示 1 / 3 条回答")
        expect(page.locator("#answers .answer-group:visible")).to_have_count(1)
        page.get_by_label("提到的品牌").select_option(label="都没有提到")
        expect(answers).to_have_count(1)
        page.get_by_role("button", name="显示全部").click()
        expect(answers).to_have_count(3)
        assert has_no_horizontal_scroll(page)


def test_a_report_is_read_and_put_right(browser: Browser, site: Site, fake: FakePlatform) -> None:
    fake.set_behaviour(respond_with_answer("山岚不错，小米也有壶。参考 https://www.example.com/a 。"))
    with open_page(browser, site, width=320) as page:
        order_with_a_branded_question(page)
        expect(page.locator("#report")).to_be_visible()
        # The answer to the question that names the brand is in no unbranded figure.
        own = page.locator("#figures tr.own td").first
        expect(own).to_contain_text("2 / 2 条回答提到")
        expect(page.locator("#recognition-section")).to_contain_text("1 / 1 有效")
        expect(page.locator("#domains-section")).to_contain_text("example.com")
        assert has_no_horizontal_scroll(page)

        page.locator("#heatmap button").first.click()
        mark = page.locator("#answers mark.own").first
        expect(mark).to_have_text("山岚")
        mark.focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="不是").click()
        expect(own).to_contain_text("1 / 2 条回答提到")
        expect(page.locator("#heatmap button").first).to_have_text("0/1")
        expect(page.locator("#heatmap button").first).to_have_accessible_name(re.compile("^0/1 · 问题"))
        page.get_by_role("button", name="撤回").click()
        expect(own).to_contain_text("2 / 2 条回答提到")
        expect(page.locator("#headline")).to_be_focused()

        page.get_by_role("button", name="把“小米”加为竞品").click()
        added = page.locator("#figures tr", has_text="小米")
        expect(added.locator("td").first).to_contain_text("2 / 2 条回答提到")
        added.get_by_role("button", name="添加别名").click()
        page.get_by_role("textbox", name="别名").fill("有壶")
        page.get_by_role("button", name="添加", exact=True).click()
        expect(added).to_contain_text("也叫有壶")
        added.get_by_role("button", name="移除").click()
        expect(added).to_have_count(0)


def test_what_a_platform_says_is_text_on_the_page(browser: Browser, site: Site, fake: FakePlatform) -> None:
    fake.set_behaviour(*(respond_with_answer(text) for text in HOSTILE))
    with site.client(DEVICE) as client:
        ordered = request_diagnosis(client, ["fake"], questions=len(HOSTILE))
        wait_until_all_ended(site)
    with open_page(browser, site) as page:  # a script that the policy keeps from running is told on the console
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"/diagnoses/{ordered.id}/#device={DEVICE}")
        for number in range(len(HOSTILE)):
            page.locator("#heatmap button").nth(number).click()
        for text in HOSTILE:
            expect(page.locator("#answers")).to_contain_text(text)
        assert {urlsplit(url).netloc for url in asked} == {urlsplit(site.url).netloc}
        assert not [url for url in asked if url.endswith("/x")]
        # The device of this tab goes along to a new one.
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="历史记录").click(modifiers=["Control"])
        expect(opened.value.locator("#history .diagnosis-item").first).to_be_visible()
        assert "device" not in opened.value.url


def order_with_a_branded_question(page: Page) -> None:
    """Two questions without a brand, one of them from the templates, and one that names the own brand."""
    page.goto("/")
    page.locator("#brand").fill("山岚")
    rows = page.locator("#questions textarea")
    rows.first.fill("山嵐的壶怎么样？")
    expect(page.locator("#questions .field-remark")).to_contain_text("认知")
    rows.nth(1).fill("哪个手冲壶好？")
    page.get_by_text("从模板选").click()
    page.locator("#template-product").fill("手冲壶")
    page.get_by_role("button", name="手冲壶推荐哪个牌子？").click()
    assert rows.nth(2).input_value() == "手冲壶推荐哪个牌子？"
    expect(page.locator("#recognition-note")).to_contain_text("1 个问题")
    expect(page.locator("#platforms input:checked").first).to_be_attached()
    for box in page.locator("#platforms input").all():
        box.set_checked(box.input_value() == "fake", force=True)
    page.get_by_role("button", name="开始诊断").click()
    page.wait_for_url("**/diagnoses/*/")


def test_the_page_speaks_english_when_the_browser_does(browser: Browser, site: Site) -> None:
    with open_page(browser, site, locale="en-US") as page:
        page.goto("/")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.get_by_text("Use a template").click()
        expect(page.locator("#template-questions [lang=zh-Hans]").first).to_be_visible()  # as the platforms are asked
        page.locator("#template-questions").evaluate("list => { list.hidden = true }")
        assert "品牌" not in page.locator("main").inner_text().replace("山岚", "")


def test_a_mistake_is_told_at_its_field_and_nothing_is_lost(browser: Browser, site: Site) -> None:
    with open_page(browser, site) as page:
        page.goto("/")
        page.get_by_role("button", name="填入示例").click()
        page.locator("#brand").fill("")
        page.get_by_role("button", name="开始诊断").click()
        expect(page.locator("#brand")).to_be_focused()
        expect(page.locator("#brand")).to_have_attribute("aria-invalid", "true")
        assert page.locator("#questions input, #questions textarea").first.input_value()


def test_an_event_is_on_the_page_soon_after_its_commit(
    browser: Browser, site: Site, fake: FakePlatform, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.hold_new_calls()
    fake.set_behaviour(hold_response())
    with open_page(browser, site) as page:
        diagnosis = start_the_sample(page, platform="fake")
        wait_until(lambda: page.evaluate("Object.keys(window.arrivals).length"), "it to follow")
        fake.set_behaviour(respond_with_answer(delay_seconds=0.3))
        fake.release()
        expect(page.locator("#report")).to_be_visible()
        arrivals: dict[str, float] = json.loads(page.evaluate("JSON.stringify(window.arrivals)"))
        rows = site.query(
            "SELECT seq, extract(epoch FROM e.created_at) * 1000 FROM progress_event e "
            "JOIN diagnosis_diagnosis d ON d.stream_id = e.stream_id WHERE d.id = %s",
            diagnosis,
        )
    # What was committed before the page followed had to wait for the page, not for the push.
    followed_at = min(arrivals.values())
    live = [(arrivals[str(seq)], float(written)) for seq, written in rows if str(seq) in arrivals]
    # created_at is a little before the commit, so this is an upper bound.
    delays = sorted(arrived - written for arrived, written in live if written > followed_at)
    p95 = delays[int(len(delays) * 0.95)]
    record_property("commit_to_browser_p95_ms", p95)
    with capsys.disabled():
        print(f"\ncommit to Chromium: {len(delays)} events, p50 {statistics.median(delays):.0f} ms, p95 {p95:.0f} ms")
    assert len(delays) >= 20
    assert p95 < 1000 * get_load_factor()


def test_the_picker_warns_of_pauses_and_refuses_what_cannot_work(
    browser: Browser, site: Site, fake: FakePlatform
) -> None:
    until = timezone.now() + timedelta(days=7)
    site.add_platform("resting", fake.base_url, pause_reason="operator", paused_until=until)
    try:
        with open_page(browser, site, width=320) as page:
            page.goto(f"/#device={DEVICE}-picker")
            names = ("fake", "resting", "demo-fast")
            real, resting, demo = (page.locator(f"#platforms [value={name}]") for name in names)
            expect(real).to_be_checked()
            expect(resting).not_to_be_checked()
            warning = page.locator("#platforms-warning")
            expect(warning).to_be_hidden()
            resting.check()
            expect(warning).to_contain_text("暂停至")
            expect(warning).to_contain_text("暂不回答")
            page.locator("[name=brand]").fill("山岚")
            page.locator("#questions textarea").first.fill("推荐哪个手冲壶？")
            expect(page.locator("#estimated-duration")).to_contain_text("天")  # not a second: the pause counts
            for ticked, message in ((demo, "演示与真实平台"), (None, "都不可用")):
                if ticked:
                    ticked.check()
                else:
                    demo.uncheck()
                    real.uncheck()
                page.get_by_role("button", name="开始诊断").click()
                expect(page.locator("#platforms-field")).to_be_focused()
                expect(page.locator("#platforms-field .field-error")).to_contain_text(message)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        site.query("UPDATE diagnosis_platform SET is_enabled = false WHERE id = 'resting' RETURNING id")
