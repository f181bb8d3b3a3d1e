"""Platforms of a new installation."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from diagnosis.models import Platform
from diagnosis.platforms.client import build_profile, get_protocol
from diagnosis.platforms.demo.chat import DEMO_MODEL_RESPONDERS, DEMO_SEARCH_MODELS
from diagnosis.platforms.protocols.validation import find_profile_errors
from diagnosis.platforms.seed import (
    DEMO_PLATFORMS,
    DEMO_SEARCH_PLATFORMS,
    REAL_PLATFORMS,
    SeededPlatform,
    seed_platforms,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for seeded in REAL_PLATFORMS:
        monkeypatch.delenv(seeded.key_variable, raising=False)


def _enabled() -> set[str]:
    return set(Platform.objects.filter(is_enabled=True).values_list("pk", flat=True))


def test_platform_is_added_once_its_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    seed_platforms()
    assert not Platform.objects.filter(is_demo=False).exists()
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-of-a-test")
    assert seed_platforms() == 2
    assert {"deepseek", "deepseek-search"} <= _enabled()


def test_foreign_models_are_not_offered_in_the_miniprogram(monkeypatch: pytest.MonkeyPatch) -> None:
    for seeded in REAL_PLATFORMS:
        monkeypatch.setenv(seeded.key_variable, "sk-of-a-test")
    seed_platforms()
    hidden = {
        name.partition("-")[0]
        for name in Platform.objects.filter(is_offered_in_miniprogram=False).values_list("pk", flat=True)
    }
    assert hidden == {"openai", "gemini", "claude", "perplexity"}
    assert not Platform.objects.filter(is_offered_on_web=False).exists()


def test_changes_of_operators_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-of-a-test")
    seed_platforms()
    Platform.objects.filter(pk="deepseek").update(is_enabled=False, model="deepseek-v4-pro")
    assert seed_platforms() == 0
    assert Platform.objects.get(pk="deepseek").model == "deepseek-v4-pro"
    assert "deepseek" not in _enabled()


def test_demo_platforms_follow_the_demo_setting(settings: Any) -> None:
    demo = {model for model, _name, _seconds in DEMO_PLATFORMS} | {seeded.pk for seeded in DEMO_SEARCH_PLATFORMS}
    settings.DEMO = True
    seed_platforms()
    assert _enabled() == demo
    settings.DEMO = False
    seed_platforms()
    assert _enabled() == set()


def test_every_demo_model_has_a_platform() -> None:
    seed_platforms()
    searching = set(Platform.objects.filter(is_demo=True).exclude(surface="memory").values_list("model", flat=True))
    assert set(DEMO_SEARCH_MODELS) <= searching == {seeded.pk for seeded in DEMO_SEARCH_PLATFORMS}
    remembering = Platform.objects.filter(is_demo=True, surface="memory").values_list("model", flat=True)
    assert set(remembering) == set(DEMO_MODEL_RESPONDERS)


@pytest.mark.parametrize("seeded", [*REAL_PLATFORMS, *DEMO_SEARCH_PLATFORMS], ids=lambda seeded: seeded.pk)
def test_every_seeded_row_is_one_that_its_protocol_can_carry_out(seeded: SeededPlatform) -> None:
    platform = Platform(pk=seeded.pk, **seeded.build_defaults(1))
    assert find_profile_errors(get_protocol(platform), build_profile(platform)) == {}
    platform.full_clean(exclude=["base_url"])


def test_every_vendor_is_seeded_as_memory_and_as_search() -> None:
    ids = {seeded.pk for seeded in REAL_PLATFORMS}
    vendors = {pk for pk in ids if "-" not in pk}
    assert len(vendors) == 11
    assert ids - vendors == {f"{vendor}-search" for vendor in vendors} | {"doubao-app"}


def test_every_platform_host_is_allowed(settings: Any) -> None:
    hosts = {urlsplit(seeded.base_url).hostname for seeded in REAL_PLATFORMS}
    assert hosts <= set(settings.OUTGOING_HOSTS)
