"""Platforms of a new installation."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from diagnosis.models import Platform
from diagnosis.platforms.demo import DEMO_MODEL_RESPONDERS
from diagnosis.platforms.seed import DEMO_PLATFORMS, REAL_PLATFORMS, seed_platforms

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for *_row, variable in REAL_PLATFORMS:
        monkeypatch.delenv(variable, raising=False)


def _enabled() -> set[str]:
    return set(Platform.objects.filter(is_enabled=True).values_list("pk", flat=True))


def test_platform_is_added_once_its_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    seed_platforms()
    assert not Platform.objects.filter(is_demo=False).exists()
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-of-a-test")
    assert seed_platforms() == 1
    assert "deepseek" in _enabled()


def test_changes_of_operators_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-of-a-test")
    seed_platforms()
    Platform.objects.filter(pk="deepseek").update(is_enabled=False, model="deepseek-v4-pro")
    assert seed_platforms() == 0
    assert Platform.objects.get(pk="deepseek").model == "deepseek-v4-pro"
    assert "deepseek" not in _enabled()


def test_demo_platforms_follow_the_demo_setting(settings: Any) -> None:
    demo = {model for model, _name, _seconds in DEMO_PLATFORMS}
    settings.DEMO = True
    seed_platforms()
    assert _enabled() == demo
    settings.DEMO = False
    seed_platforms()
    assert _enabled() == set()


def test_every_demo_model_has_a_platform() -> None:
    seed_platforms()
    assert set(Platform.objects.filter(is_demo=True).values_list("model", flat=True)) == set(DEMO_MODEL_RESPONDERS)


def test_every_platform_host_is_allowed(settings: Any) -> None:
    hosts = {urlsplit(base_url).hostname for _pk, _name, base_url, _model, _variable in REAL_PLATFORMS}
    assert hosts <= set(settings.OUTGOING_HOSTS)
