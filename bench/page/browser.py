"""A cold visit to a page in Chromium at its "Slow 4G": requests, bytes, and the time until the page is usable."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

# The preset of Chromium's developer tools.
SLOW_4G = {
    "offline": False,
    "latency": 150 * 3.75,
    "downloadThroughput": 1.6 * 1000 * 1000 / 8 * 0.9,
    "uploadThroughput": 750 * 1000 / 8 * 0.9,
}
QUIET_MS = 1500
MAX_WAIT_MS = 60_000
# Records when every selector first matches an element that is shown; `performance.now()` starts with the navigation.
RECORD_USABLE = """
window.whenUsable = new Promise((resolve, reject) => {
  const selectors = %s;
  const isMissing = (selector) => !isShown(selector);
  setTimeout(() => reject(new Error(`not shown: ${selectors.filter(isMissing)}`)), %d);
  const isShown = (selector) => {
    const element = document.querySelector(selector);
    return element && element.getClientRects().length > 0 && getComputedStyle(element).visibility === "visible";
  };
  const check = () => (selectors.every(isShown) ? resolve(performance.now()) : requestAnimationFrame(check));
  requestAnimationFrame(check);
});
"""


@dataclass(frozen=True)
class Visit:
    """Requests and received bytes, with headers, until the network is quiet; seconds until the page is usable."""

    requests: int
    size: int
    seconds: float


def visit_page(browser: Browser, url: str, state: Any, selectors: list[str]) -> Visit:
    """Open a page with an empty cache and the cookies of `state`. It is usable when every selector is shown."""
    context = browser.new_context(storage_state=state, ignore_https_errors=True, locale="zh-CN")
    try:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW_4G)
        requests: list[str] = []
        sizes: list[float] = []
        session.on("Network.requestWillBeSent", lambda event: requests.append(event["request"]["url"]))
        session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        page.add_init_script(RECORD_USABLE % (selectors, MAX_WAIT_MS))
        page.goto(url, wait_until="load", timeout=MAX_WAIT_MS)
        milliseconds = page.evaluate("window.whenUsable")
        _wait_until_quiet(page, requests, sizes)
        return Visit(
            len([one for one in requests if not one.startswith("data:")]), int(sum(sizes)), milliseconds / 1000
        )
    finally:
        context.close()


def sign_in(browser: Browser, url: str, name: str, password: str) -> Any:
    """Sign in by the form; returns the cookies."""
    context = browser.new_context(ignore_https_errors=True)
    try:
        page = context.new_page()
        page.goto(f"{url}/accounts/login/")
        page.locator("[name=username]").fill(name)
        page.locator("[name=password]").fill(password)
        page.locator("[name=password]").press("Enter")
        page.wait_for_url(f"{url}/")
        return context.storage_state()
    finally:
        context.close()


def _wait_until_quiet(page: Page, requests: list[str], sizes: list[float]) -> None:
    while True:
        before = (len(requests), len(sizes))
        page.wait_for_timeout(QUIET_MS)
        if (len(requests), len(sizes)) == before:
            return
