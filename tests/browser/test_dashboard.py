"""The dashboard in a real browser: charts, fresh without a reload, in English, on the smallest phone."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from monitoring.dashboard.push import DASHBOARD_STREAM_ID
from testing.data.busy_hour import write_busy_hour
from testing.services import LOCAL_HTTPX_OPTIONS, execute_sql
from testing.site import Site, run_management_command, running_site

PAGE = "/admin/monitoring/dashboard/"
CHARTS = ["success", "calls", "latency", "ended", "requests", "cache", "running", "connections"]
FIRE = """
from monitoring.alerts.lifecycle import fire_alert
fire_alert(fingerprint="code:test", title="磁盘将满", severity="error")
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A site with an hour of samples and an operator."""
    with running_site() as running:
        write_busy_hour(running.address, datetime.now(UTC))
        account = ["--username", "op", "--email", "op@site.example"]
        run_management_command(
            ["createsuperuser", "--noinput", *account], running.address, DJANGO_SUPERUSER_PASSWORD="op"
        )
        for slug in ("deepseek", "qwen", "kimi"):
            running.add_platform(slug, "http://127.0.0.1:1/v1")
        yield running


@pytest.fixture(scope="module")
def session(browser: Browser, site: Site) -> str:
    """The operator's session, signed in once."""
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    page.goto(f"/admin/login/?next={PAGE}")
    page.locator("#id_username").fill("op")
    page.locator("#id_password").fill("op")
    page.locator("[type=submit]").click()
    expect(page.locator("#dashboard")).to_be_visible()
    found = next(cookie["value"] for cookie in context.cookies() if cookie["name"] == "sessionid")
    context.close()
    return found


@contextmanager
def a_page(browser: Browser, site: Site, session: str, *, width: int = 1280, locale: str = "zh-CN") -> Iterator[Page]:
    """The operator's page; every browser error fails the test."""
    context: BrowserContext = browser.new_context(
        base_url=site.url, locale=locale, viewport={"width": width, "height": 900}
    )
    context.add_cookies([{"name": "sessionid", "value": session, "url": site.url}])
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert complaints == []


def test_every_chart_is_drawn_and_has_its_table(browser: Browser, site: Site, session: str) -> None:
    with a_page(browser, site, session) as page:
        page.goto(PAGE)
        for name in CHARTS:
            expect(page.locator(f"#chart-{name} svg[role=img]")).to_be_visible()
        page.locator("#summary-success").click()
        expect(page.locator("#data-success tbody tr")).to_have_count(60)
        expect(page.locator("#chart-errors [data-code]").first).to_be_visible()
        expect(page.locator("#chart-health tr", has_text="任务进程")).to_contain_text("正常")
        expect(page.locator("#part-platforms tr", has_text=re.compile(r"^\s*kimi"))).to_contain_text("%")
        expect(page.locator("#dashboard-connection")).to_have_attribute("data-state", "live")


def test_an_alert_arrives_without_a_reload(browser: Browser, site: Site, session: str) -> None:
    with a_page(browser, site, session) as page:
        page.goto(PAGE)
        expect(page.locator("#dashboard-connection")).to_have_attribute("data-state", "live")
        page.evaluate("window.isTheSamePage = true")
        page.locator("#summary-calls").click()
        run_management_command(["shell", "-c", FIRE], site.address)
        expect(page.locator("#part-alerts")).to_contain_text("磁盘将满")
        expect(page.locator("#dashboard-news")).to_have_text("新告警：磁盘将满")
        expect(page.locator("#data-calls")).to_have_attribute("open", "")
        assert page.evaluate("window.isTheSamePage")
        assert page.evaluate("document.activeElement.id") == "summary-calls"
        execute_sql(site.address, "UPDATE monitoring_alert SET resolved_at = now()")


def test_it_fits_the_smallest_phone_in_each_language(browser: Browser, site: Site, session: str) -> None:
    for locale in ("zh-CN", "en-US"):
        with a_page(browser, site, session, width=320, locale=locale) as page:
            page.goto(f"{PAGE}?span=7d")
            for details in page.locator("#dashboard details > summary").all():
                details.click()
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


LISTS = [
    "/admin/",
    "/admin/diagnosis/platform/",
    "/admin/diagnosis/diagnosis/",
    "/admin/errors/errorcopy/",
    "/admin/monitoring/rule/",
    "/admin/monitoring/rule/1/change/",
    "/admin/diagnosis/platform/kimi/change/",
    "/admin/monitoring/rule/runbooks/high_latency/",
]


@pytest.mark.parametrize("width", [390, 1280])
def test_admin_pages_do_not_scroll_sideways(browser: Browser, site: Site, session: str, width: int) -> None:
    with a_page(browser, site, session, width=width) as page:
        too_wide = {}
        for path in LISTS:
            page.goto(path)
            excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            cut = page.evaluate(
                "(() => { const box = document.querySelector('#changelist .results');"
                " return box ? box.scrollWidth - box.clientWidth : 0; })()"
            )
            if excess > 0 or cut > 0:
                too_wide[path] = (excess, cut)
        assert too_wide == {}


def test_the_preview_shows_what_the_mini_program_shows(browser: Browser, site: Site, session: str) -> None:
    with a_page(browser, site, session) as page:
        page.goto("/admin/errors/errorcopy/?q=NETWORK_ERROR&locale__exact=zh-hans")
        page.locator("#result_list tbody th a").first.click()
        toast = page.locator(".phone[data-form=toast] .toast")
        for text in ("网络连接失败", "请检查网络后重试。", "重试", "!"):
            expect(toast).to_contain_text(text)
        page.locator("#id_icon").select_option("none")
        expect(toast.locator(".icon")).to_have_count(0)
        page.locator("#id_action").select_option("dismiss")
        expect(toast.locator(".link")).to_have_count(0)


def test_a_user_may_not_follow_the_stream(site: Site) -> None:
    token = site.token()
    answer = httpx.get(
        f"{site.url}/api/streams/{DASHBOARD_STREAM_ID}/events?wait=0",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
        **LOCAL_HTTPX_OPTIONS,
    )
    assert answer.status_code == 404
    address = f"{site.url.replace('http', 'ws', 1)}/ws/diagnosis/{DASHBOARD_STREAM_ID}/"
    with connect(address, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "v": 1, "token": token}))
        assert json.loads(socket.recv(30))["problem"]["status"] == 404
        with pytest.raises(ConnectionClosed):
            socket.recv(30)
        assert socket.close_code == 4404


OURS = ["/", "/history/", "/accounts/login/", "/api/docs", "/nothing-here"]
OF_THE_ADMIN = [
    "/admin/",
    "/admin/errors/errorcopy/",
    "/admin/errors/errorcopy/1/change/",
    "/admin/errors/copyoverride/add/",
    "/admin/monitoring/rule/1/change/",
    "/admin/monitoring/rule/runbooks/high_latency/",
    "/admin/monitoring/channel/add/",
    "/admin/monitoring/silence/add/",
    "/admin/diagnosis/platform/add/",
    "/admin/diagsite/user/add/",
    "/admin/auth/group/add/",
    "/admin/procrastinate/procrastinatejob/",
    "/admin/admin/logentry/",
    PAGE,
]
NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(
  `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
INJECT = """
const script = document.createElement("script");
script.textContent = "window.injected = true";
document.body.append(script);
"""


def test_no_page_needs_what_the_policy_forbids_and_injected_script_does_not_run(
    browser: Browser, site: Site, session: str
) -> None:
    context = browser.new_context(base_url=site.url)
    context.add_cookies([{"name": "sessionid", "value": session, "url": site.url}])
    page = context.new_page()
    page.add_init_script(NOTE_VIOLATIONS)
    violations = {}
    for path in [*OURS, *OF_THE_ADMIN]:
        page.goto(path, wait_until="load")
        violations[path] = page.evaluate("window.violations")
    page.goto("/api/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    violations["the documentation, drawn"] = page.evaluate("window.violations")
    assert {path: found for path, found in violations.items() if found} == {}
    page.evaluate(INJECT)
    page.wait_for_function("window.violations.length > 0")
    assert page.evaluate("window.injected") is None
    context.close()
