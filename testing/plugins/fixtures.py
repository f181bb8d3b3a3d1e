"""The pytest plugin of all tests: starts the services before Django's settings are read; shared fixtures.

Tests that need a program that is not installed are skipped; with REQUIRE_SERVICES=1 they fail.
"""

import os
import random
import signal
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from performance.cache_backends import get_cache_backend
from testing.fakes.platform import FakePlatform
from testing.services import (
    MissingServiceError,
    RedisServer,
    close_connections,
    find_program,
    running_redis,
    start_services,
    stop_services,
)

pytest.register_assert_rewrite("testing.invariants", "testing.site", "testing.clients.stream_client")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

# The bound of every wait of the browser tests: generous, because everything is slow on a busy machine.
BROWSER_TIMEOUT_MS = 120_000


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """Prepare the process; as a wrapper it runs before pytest-django, which reads the settings."""
    # Background jobs of a shell ignore SIGINT, and nohup ignores SIGHUP; processes that tests start would inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # a handler is not inherited
    start_services()
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Turn off in this process, not in the sites that tests start, what tests do not want."""
    # Background threads would query the tests' database.
    settings.ERRORS_REFRESH_SECONDS = 0
    settings.SAMPLES_FLUSH_SECONDS = 0
    # Every test client has a handler of its own, and each would list all static files.
    settings.WHITENOISE_AUTOREFRESH = True
    # The production hasher is slow on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the services."""
    stop_services()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a test whose fixtures need a missing service."""
    return (yield from _skipping_without_service())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a test that needs a missing service."""
    return (yield from _skipping_without_service())


def _skipping_without_service() -> Generator[None, None, None]:
    try:
        return (yield)
    except MissingServiceError as error:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"{error} is required (REQUIRE_SERVICES=1) and not installed")
        pytest.skip(f"{error} is not installed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured (`record_property`): a parallel run discards their own output."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    measured = [(report.nodeid, *item) for report in reports for item in report.user_properties]
    if measured:
        terminalreporter.section("measured")
    for test, name, value in measured:
        terminalreporter.write_line(f"{name}: {value}  ({test})")


@pytest.fixture(autouse=True)
def reset_caches() -> Iterator[None]:
    """Give each test empty caches and new database connections."""
    get_cache_backend.cache_clear()
    yield
    close_connections()


@pytest.fixture
def fake() -> Iterator[FakePlatform]:
    """A running fake AI platform."""
    with FakePlatform() as server:
        yield server


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """A generator whose seed is printed with a failure: replace the new seed with it to repeat the run."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of {request.node.name}: {seed}")
    return random.Random(seed)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running Redis, empty."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    path = find_program("chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import expect  # takes long to import; most tests need no browser

    expect.set_options(timeout=BROWSER_TIMEOUT_MS)
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator["Browser"]:
    """One Chromium for the module: its event loop must not stay open for tests of other modules."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        running: Any = playwright.chromium.launch(executable_path=chromium, args=flags)
        new_context = running.new_context

        def new_patient_context(**options: Any) -> "BrowserContext":
            context: BrowserContext = new_context(**options)
            context.set_default_timeout(BROWSER_TIMEOUT_MS)
            return context

        running.new_context = new_patient_context
        yield running
        running.close()
