"""A platform's row cannot make the site send another secret, or a key unencrypted."""

import os
from typing import Any

import pytest

from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.endpoint import Endpoint, has_usable_key

SECRET = "secret-of-the-site-0123456789"
OTHER_VARIABLES = ["SECRET_KEY", "DATABASE_URL", "x_api_key", "_API_KEY", "X_API_KEY\n", "ALERT_SECRETS_KEY"]


def _platform(**columns: Any) -> Platform:
    return Platform(pk="p", model="m", **{"key_variable": "X_API_KEY", "base_url": "https://api.example/v1"} | columns)


@pytest.fixture(autouse=True)
def _site(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    for name in ("X_API_KEY", *OTHER_VARIABLES):
        monkeypatch.setenv(name, SECRET)
    settings.OUTGOING_HOSTS = ["api.example", "127.0.0.1", "10.0.0.1", "localhost"]
    settings.PRODUCTION = True


def test_key_of_a_platform_is_sent() -> None:
    assert Endpoint.from_platform(_platform()).key == SECRET


@pytest.mark.parametrize("name", [*OTHER_VARIABLES, "PATH"])
def test_other_variables_are_not_keys(name: str) -> None:
    platform = _platform(key_variable=name)
    assert not has_usable_key(platform)
    with pytest.raises(CallFailed) as refused:
        Endpoint.from_platform(platform)
    assert os.environ.get(name, SECRET) not in str(refused.value)


@pytest.mark.parametrize("base_url", ["http://api.example/v1", "http://10.0.0.1/v1", "http://localhost/v1"])
def test_key_needs_https_in_production(base_url: str, settings: Any) -> None:
    with pytest.raises(CallFailed, match="https"):
        Endpoint.from_platform(_platform(base_url=base_url))
    settings.PRODUCTION = False
    assert Endpoint.from_platform(_platform(base_url=base_url)).base_url == base_url


def test_key_may_be_sent_to_this_machine() -> None:
    assert Endpoint.from_platform(_platform(base_url="http://127.0.0.1:9/v1")).key == SECRET


@pytest.mark.parametrize(
    "base_url",
    [
        f"https://user:{SECRET}@api.example/v1",
        "https://api.example@127.0.0.1/v1",
        f"https://api.example/v1?key={SECRET}",
        "https://api.example/v1#x",
        "file:///etc/passwd",
        "https:///v1",
    ],
)
def test_address_holds_nothing_but_host_and_path(base_url: str) -> None:
    with pytest.raises(CallFailed) as refused:
        Endpoint.from_platform(_platform(base_url=base_url))
    assert SECRET not in str(refused.value)
