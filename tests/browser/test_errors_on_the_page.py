"""Every error as a person meets it on the page: in words, without a code, and with a button that does what it says."""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from errors.codes import ErrorCode
from testing.services import LOCAL_HTTPX_OPTIONS
from testing.site import Site, run_management_command, running_site

pytestmark = pytest.mark.browser

PASSWORD = "a-password-of-a-test"
# Screenshots are kept only in this directory, when it is set.
PICTURES = os.environ.get("ERROR_PICTURES", "")

SHOW = """async (body) => {
  const { showProblemBody } = await import("/static/site/js/common/problem_display.js");
  const container = document.getElementById("form-problem");
  showProblemBody(body, { container });
}"""
CLEAR = """() => {
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  document.getElementById("toasts").replaceChildren();
  document.getElementById("form-problem")?.replaceChildren();
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site(concurrency=0) as running:
        yield running


@pytest.fixture(scope="module")
def phones(browser: Browser, site: Site) -> dict[str, Page]:
    """By language. A window of a browser costs more than the pages in it, so the tests use them one after another."""
    return {
        locale: browser.new_page(base_url=site.url, locale=locale, viewport={"width": 375, "height": 812})
        for locale in ("zh-CN", "en-GB")
    }


@pytest.fixture
def page(phones: dict[str, Page], request: pytest.FixtureRequest) -> Page:
    """A phone on the first page; indirect parameter: its language."""
    page = phones[getattr(request, "param", "zh-CN")]
    page.goto("/")
    return page


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


@cache
def fetch_catalogue(url: str, locale: str) -> dict[str, Any]:
    catalogue: dict[str, Any] = httpx.get(f"{url}/api/errors?locale={locale}", **LOCAL_HTTPX_OPTIONS).json()
    return catalogue


def build_problem_body(site: Site, code: str, locale: str, **action: Any) -> dict[str, Any]:
    """The body as any surface carries it, from the catalogue."""
    catalogue = fetch_catalogue(site.url, locale)
    copy = json.loads(json.dumps(catalogue["errors"][code]))
    if action:
        copy["action"] |= action
    return {"code": code, "request_id": "7f3a9c01deadbeef", "copy": copy, **catalogue["codes"][code]}


@pytest.mark.parametrize("page", ["zh-CN", "en-GB"], indirect=True)
def test_every_code_is_shown_in_its_words_and_never_as_a_code(page: Page, site: Site) -> None:
    locale = "en" if page.evaluate("document.documentElement.lang").startswith("en") else "zh-hans"
    whole = [code for code in ErrorCode if build_problem_body(site, code, locale)["copy"]["display"] == "page"]
    for code in [*(code for code in ErrorCode if code not in whole), *whole]:  # a whole page leaves nothing behind
        body = build_problem_body(site, code, locale)
        copy = body["copy"]
        page.evaluate(SHOW, body)
        shown = page.locator("#toasts .toast, dialog[open], #form-problem .problem, .problem-page").last
        expect(shown).to_contain_text(copy["title"])
        for part in (copy["message"], copy["suggestion"], "7f3a9c01"):
            expect(shown).to_contain_text(part)
        if copy["action"]["kind"] != "dismiss" and code not in whole:
            assert copy["action"]["label"] in shown.inner_text()
        assert code.value not in page.locator("body").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        if code in whole:
            page.goto("/")
        else:
            page.evaluate(CLEAR)


@pytest.mark.parametrize(
    ("display", "code"),
    [
        ("toast", "NETWORK_ERROR"),
        ("modal", "AI_PLATFORM_ERROR"),
        ("page", "DIAGNOSIS_TIMEOUT"),
        ("inline", "DIAGNOSIS_PARTIAL_SUCCESS"),
    ],
)
def test_each_display_form_fits_a_phone(page: Page, site: Site, display: str, code: str) -> None:
    body = build_problem_body(site, code, "zh-hans")
    assert body["copy"]["display"] == display
    page.evaluate(SHOW, body)
    shown = page.get_by_text(body["copy"]["title"]).last
    expect(shown).to_be_visible()
    shown.scroll_into_view_if_needed()
    box = shown.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    picture(page, f"error-{display}")


@pytest.mark.parametrize(
    ("code", "kind", "address"),
    [
        ("AI_PLATFORM_ERROR", "switch_platform", "**/?platforms=healthy"),
        ("SERVER_ERROR", "open_history", "**/history/"),
        ("SERVER_ERROR", "open_report", "**/diagnoses/11111111-1111-4111-8111-111111111111/#report"),
        ("DATA_NOT_FOUND", "go_home", "**/"),
    ],
)
def test_an_action_goes_where_it_says(page: Page, site: Site, code: str, kind: str, address: str) -> None:
    params = {"diagnosis": "11111111-1111-4111-8111-111111111111"} if kind == "open_report" else {}
    body = build_problem_body(site, code, "zh-hans", kind=kind, params=params, label="去吧")
    page.goto("/history/" if kind != "open_history" else "/")
    page.evaluate(SHOW.replace('document.getElementById("form-problem")', "null"), body)
    page.get_by_role("button", name="去吧").click()
    page.wait_for_url(address)
    if kind == "switch_platform":
        expect(page.locator("#healthy-note")).to_be_visible()
        checked = page.locator("#platforms input:checked")
        expect(checked).not_to_have_count(0)


def test_an_action_that_stays_does_its_work_here(page: Page, site: Site) -> None:
    for kind in ("retry", "dismiss", "sign_in"):
        page.evaluate("() => { window.stays = true; }")
        body = build_problem_body(site, "FORBIDDEN", "zh-hans", kind=kind, label="去吧") | {"retry_after_ms": None}
        page.evaluate(SHOW, body)
        page.get_by_role("button", name="去吧").click()
        if kind == "dismiss":
            expect(page.locator("dialog[open]")).to_have_count(0)
        else:  # trying again and signing in again both begin with the page as new
            page.wait_for_function("() => !window.stays")
        page.wait_for_load_state("networkidle")


def test_an_operator_sees_the_words_as_a_phone_shows_them_while_typing(browser: Browser, site: Site) -> None:
    names = {"DJANGO_SUPERUSER_USERNAME": "operator", "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    run_management_command(["createsuperuser", "--noinput", "--email", "operator@example.org"], site.address, **names)
    context = browser.new_context(base_url=site.url, locale="zh-CN", viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.goto("/admin/login/?next=/admin/errors/errorcopy/?code=RATE_LIMITED")
    page.fill("#id_username", "operator")
    page.fill("#id_password", PASSWORD)
    page.locator("[type=submit]").click()
    page.get_by_role("link", name="操作太频繁").click()
    phones = page.locator("#copy-preview .phone")
    expect(phones).to_have_count(4)
    assert [box["width"] for box in (phone.bounding_box() for phone in phones.all()) if box] == [375] * 4
    page.fill("#id_title", "慢一点，请在 {seconds} 秒后再来一次吧好吗好吗好吗好吗")
    expect(phones.first).to_contain_text("慢一点，请在 30 秒后再来一次吧")
    expect(page.locator(".copy-width[data-over=yes]")).to_have_count(1)
    page.fill("#id_title", "慢一点")
    expect(page.locator(".copy-width[data-over=yes]")).to_have_count(0)
    page.select_option("#id_display", "modal")
    page.fill("#id_duration_ms", "0")
    expect(phones.first).to_have_attribute("data-form", "toast")
    expect(page.locator(".phone[data-current=yes]")).to_have_attribute("data-form", "modal")
    if PICTURES:
        page.locator("#copy-preview").screenshot(path=str(Path(PICTURES) / "error-preview.png"))
        page.evaluate("scrollTo(0, 0)")  # otherwise the sidebar is where the form was scrolled to
        page.screenshot(path=str(Path(PICTURES) / "error-form.png"), full_page=True)
    page.fill("#copy-reason", "更亲切")
    page.get_by_role("button", name="保存并发布").click()
    expect(page.locator(".messagelist")).to_contain_text("已发布为第 2 版")
    context.close()
