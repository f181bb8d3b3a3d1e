"""The key of the platforms that these tests create."""

import pytest

from testing.data.diagnoses import API_KEY_VARIABLE, TEST_API_KEY


@pytest.fixture(autouse=True)
def platform_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, TEST_API_KEY)
