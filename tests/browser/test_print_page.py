"""Export, print page and share link of a report in a real browser."""

import io
import unicodedata

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pypdf import PdfReader

from testing.invariants import request_diagnosis, wait_until_all_ended
from testing.site import Site, running_site

pytestmark = pytest.mark.browser

DEVICE = "device-that-prints"
AI, DEMO = "由 AI 生成，仅供参考", "演示数据，并非真实平台的回答"


def _context(browser: Browser, site: Site) -> BrowserContext:
    return browser.new_context(base_url=site.url, locale="zh-CN", viewport={"width": 320, "height": 700})


def _fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def _pages(pdf: bytes) -> tuple[str, list[str]]:
    """The title, and the text of each page."""
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.metadata
    return str(reader.metadata.title), [_plain(page.extract_text()) for page in reader.pages]


def test_a_report_is_saved_printed_shared_and_taken_back(browser: Browser) -> None:
    with running_site(DEMO_LATENCY="0.05") as site, site.client(DEVICE) as client:
        diagnosis = request_diagnosis(client, ["demo-fast"], questions=4, repeats=3)
        wait_until_all_ended(site)
        context = _context(browser, site)
        page = context.new_page()
        page.goto(f"/diagnoses/{diagnosis.id}/#device={DEVICE}")

        expect(page.locator("#report-actions")).to_be_visible()

        # By keyboard: open the menu, leave it, come back, take the figures.
        page.locator("#export-menu summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("[data-export]").first).to_be_visible()
        assert _fits(page)
        page.keyboard.press("Escape")
        expect(page.locator("[data-export]").first).to_be_hidden()
        expect(page.locator("#export-menu summary")).to_be_focused()
        page.keyboard.press("Enter")
        with page.expect_download() as saved:
            page.locator("[data-export][href$='of=figures']").press("Enter")
        assert saved.value.suggested_filename.endswith("-figures.csv")
        assert saved.value.path().read_bytes().startswith(b"\xef\xbb\xbf")

        # The device has a token and no session: the page comes by a ticket.
        with context.expect_page() as opened:
            page.locator("#open-print").click()
        printed = opened.value
        expect(printed.locator("h1")).to_be_visible()
        assert _fits(printed)

        page.locator("#open-share").click()
        page.locator("#share-create").click()
        link = page.locator("#share-links input").input_value()
        assert _fits(page)

        visitor = _context(browser, site).new_page()
        visitor.goto(link)
        title, texts = _pages(visitor.pdf(prefer_css_page_size=True))
        assert AI in title
        assert DEMO in title
        assert len(texts) > 1
        for number, text in enumerate(texts, 1):
            assert _plain(f"{AI} · {DEMO}") in text, number
            assert f"{number}/{len(texts)}" in text
        assert any("这些数字怎么算" in text for text in texts)

        page.locator("#share-links button").last.click()
        expect(page.locator("#share-links li")).to_have_count(0)
        answer = visitor.goto(link)
        assert answer
        assert answer.status == 404
        expect(visitor.locator("h1")).to_have_text("这个链接打不开了")


def _plain(text: str) -> str:
    """Without white space, and with a character in place of each radical that a PDF has for it."""
    return unicodedata.normalize("NFKC", "".join(text.split()))
