"""Texts that are stored or logged contain no keys and nothing that identifies a person."""

import pytest

from errors.placeholders import clean_text
from errors.redaction import redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("call me at 13812345678", "13812345678"),
        ("电话：138-1234-5678。", "138-1234-5678"),
        ("+86 139 1234 5678 (home)", "139 1234 5678"),
        ("tel +44 20 7946 0958", "7946"),
        ("座机 010-62770000", "62770000"),
        ("from li.lei+test@mail.example.com.cn failed", "li.lei"),
        ("invalid api key sk-ab1", "sk-ab1"),
        ("api_key=a1b2", "a1b2"),
        ("Incorrect API key provided: xyz9.", "xyz9"),
        ('{"token": "t0k"}', "t0k"),
        ("{'password': 'hunter2'}", "hunter2"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("密钥：abc123", "abc123"),
        ("GET https://api.example.com/v1?key=AIzaSy HTTP/1.1", "AIzaSy"),
        ("postgresql://site:s3cret@db:5432/site", "s3cret"),
        ("token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 expired", "eyJhbGci"),
    ],
)
def test_secrets_and_personal_data_are_masked(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert secret not in clean_text(text, 200)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "DEEPSEEK_API_KEY is not set to a usable key",
        'File "/srv/site/diagnosis/running/calls.py", line 118, in _attempt',
        "diagnosis 0b6f1d2e-3c4d-4e5f-8a9b-0c1d2e3f4a5b took 1764529123 ms",
        'duplicate key value violates unique constraint "errors_count_once"',
        "KeyError: 'brand'",
        "max_tokens=4096 is too large",
        "2026-11-30 18:20:33,123 127.0.0.1:8765",
        "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable",
    ],
)
def test_texts_without_secrets_stay(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_are_masked_whatever_they_look_like() -> None:
    assert redact("the answer was 42x", ["42x", ""]) == "the answer was ***"
