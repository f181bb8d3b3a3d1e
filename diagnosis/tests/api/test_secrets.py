"""API keys never appear in answers, error details, responses or logs; unusable keys are reported as such."""

import itertools
import logging
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.endpoint import has_usable_key, redact_secrets
from progress.models import Event
from testing.data.calls import ask_platform
from testing.data.diagnoses import API_KEY_VARIABLE, make_diagnosis, make_platform, run_diagnoses
from testing.fakes import platform as fake_platform
from testing.fakes.platform import Behaviour, Exchange, FakePlatform

# The session is one per event loop: these tests share a loop.
in_one_loop = pytest.mark.asyncio(loop_scope="module")

# Keys in the platforms' formats: OpenAI's, DeepSeek's, 豆包's, 智谱's, 文心's, Gemini's, and one in another format.
KEYS = [
    "sk-proj-Ab3dEf6hIj9kLmNoPqRsT",
    "sk-0123456789abcdef0123456789abcdef",
    "6f0a3c1e-7b7e-4a54-9d6e-0c2a5c1f8e21",
    "0123456789abcdef0123456789abcdef.Zz9Yy8Xx7Ww6Vv5U",
    "bce-v3/ALTAK-c0ffeec0ffee/0123456789abcdef0123456789abcdef01234567",
    "AIzaSyD-1234567890abcdefghijklmnopqrstu",
    "tiger7",
]


def _echo(status: int, where: str) -> Behaviour:
    """Respond with the caller's own key, as some platforms do in their messages."""

    async def behave(exchange: Exchange) -> None:
        key = exchange.call.key
        bodies: dict[str, Any] = {
            "message": {"error": {"message": f"Incorrect API key provided: {key}.", "code": "invalid_api_key"}},
            "text": f"<html>Authorization: Bearer {key}</html>",
            "padding": {"error": {"message": "字" * 380 + key}},
            "deep": [{"error": {"details": [{"metadata": {"key": key}}]}}],
        }
        await fake_platform.respond_with(bodies[where], status=status)(exchange)

    return behave


@in_one_loop
@pytest.mark.parametrize("key", KEYS)
async def test_key_echoed_by_a_platform_is_redacted_in_details(
    fake: FakePlatform, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, key)
    platform = Platform(pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url)
    for status, where in itertools.product([200, 401, 500], ["message", "text", "padding", "deep"]):
        fake.set_behaviour(_echo(status, where))
        with pytest.raises(CallFailed) as failure:
            await ask_platform(platform, "问", seed=1, timeout_seconds=20)
        assert fake.calls[-1].key == key
        assert key not in str(failure.value.args), (status, where)
        pieces = {key[start : start + 12] for start in range(max(1, len(key) - 11))}
        assert not any(piece in failure.value.detail for piece in pieces), (status, where)


@pytest.mark.parametrize("text", ["sk-abcdefgh12345", "Bearer abcdefgh12345", "ak-f3t8pfk16fki11gzh6i1", "0" * 40])
def test_strings_that_look_like_keys_are_redacted(text: str) -> None:
    assert redact_secrets(f"before {text} after").replace("Bearer ", "") == "before *** after"


_PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*")


@given(st.text(_PRINTABLE, min_size=4, max_size=60), st.text(max_size=60), st.text(max_size=60), st.booleans())
def test_key_is_redacted_in_any_context(key: str, before: str, after: str, is_split: bool) -> None:
    sent = key[:2] + "\x00" + key[2:] if is_split else key
    assert key not in redact_secrets(before + sent + after, key)


def test_details_are_short_and_storable() -> None:
    detail = redact_secrets("山\x00" + "\ud800岚 " * 500)
    assert len(detail) <= 400
    assert "\x00" not in detail
    detail.encode()


@in_one_loop
@pytest.mark.parametrize("key", ["", " ", "\n", "密钥", "sk-１２３", "sk-a\nb", "sk-a\x00b", "sk-a\x7f", "“sk-abc”"])
async def test_unusable_key_fails_with_reason_key(
    fake: FakePlatform, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    if "\x00" not in key:  # an environment variable cannot contain it
        monkeypatch.setenv(API_KEY_VARIABLE, key)
    else:
        monkeypatch.delenv(API_KEY_VARIABLE)
    platform = Platform(pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url)
    with pytest.raises(CallFailed) as failure:
        await ask_platform(platform, "问", seed=1, timeout_seconds=20)
    assert (failure.value.reason, failure.value.is_retryable) == (FailureReason.KEY, False)
    assert API_KEY_VARIABLE in failure.value.detail
    assert not has_usable_key(platform)
    assert fake.count() == 0


@in_one_loop
async def test_missing_key_is_reported_by_its_variable(fake: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(API_KEY_VARIABLE)
    platform = Platform(pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url)
    with pytest.raises(CallFailed, match=API_KEY_VARIABLE):
        await ask_platform(platform, "问", seed=1, timeout_seconds=20)


@in_one_loop
@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} "])
async def test_trailing_newline_of_the_key_is_ignored(
    fake: FakePlatform, monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, around.format("sk-real"))
    platform = Platform(pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url)
    await ask_platform(platform, "问", seed=1, timeout_seconds=20)
    assert fake.calls[0].key == "sk-real"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", ["tiger7-is-not-like-a-key", KEYS[3]])
def test_run_leaves_the_key_in_no_row_response_or_log(
    owner: AbstractUser,
    client: Client,
    fake: FakePlatform,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str,
) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, key)
    caplog.set_level(logging.DEBUG)
    platforms = []
    for number, behaviour in enumerate([_echo(401, "message"), _echo(200, "text"), _echo(404, "deep")]):
        fake.set_behaviour(behaviour, model=f"p{number}")
        platforms.append(make_platform(f"p{number}", base_url=fake.base_url))
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, platforms))
    rows = str(list(diagnosis.answers.values())) + str(diagnosis.report)
    path = f"/api/diagnoses/{diagnosis.pk}"
    pages = "".join(client.get(f"{path}{rest}").content.decode() for rest in ("", "/report", "/answers"))
    events = str(list(Event.objects.values_list("data", flat=True)))
    assert "call_failed" in caplog.text
    for text in (rows, pages, events, caplog.text):
        assert key not in text
        assert key[-12:] not in text


@pytest.mark.django_db(transaction=True)
def test_error_details_are_never_in_the_api(owner: AbstractUser, client: Client, fake: FakePlatform) -> None:
    fake.set_behaviour(fake_platform.respond_with_error(401, {"error": {"message": "account no-4711 of Mr Ito"}}))
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, [make_platform(base_url=fake.base_url)]))
    assert "no-4711" in diagnosis.answers.get().error_detail
    path = f"/api/diagnoses/{diagnosis.pk}"
    for rest in ("", "/report", "/answers"):
        assert "no-4711" not in client.get(f"{path}{rest}").content.decode()
