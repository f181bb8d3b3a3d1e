"""Channels' secrets are encrypted at rest, survive a change of the key, and are told to nobody."""

from typing import Any

import pytest

from monitoring.secrets import SecretsUnreadable, decrypt_secrets, encrypt_again, encrypt_secrets

SECRETS = {"address": "https://oapi.dingtalk.com/robot/send?access_token=very-secret", "key": "SEC-very-secret"}


def test_what_is_stored_shows_nothing_and_decrypts() -> None:
    stored = encrypt_secrets(SECRETS)
    assert "secret" not in stored and "dingtalk" not in stored
    assert decrypt_secrets(stored) == SECRETS
    assert encrypt_secrets({"address": ""}) == "" and decrypt_secrets("") == {}


def test_a_changed_secret_key_still_decrypts_while_the_old_one_is_a_fallback(settings: Any) -> None:
    stored = encrypt_secrets(SECRETS)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert decrypt_secrets(stored) == SECRETS
    renewed = encrypt_again(stored)
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt_secrets(renewed) == SECRETS
    with pytest.raises(SecretsUnreadable) as lost:
        decrypt_secrets(stored)
    assert lost.value.disables_channel and "重新填写" in str(lost.value)


def test_a_key_of_its_own_encrypts_and_outlives_the_secret_key(settings: Any) -> None:
    before = encrypt_secrets(SECRETS)
    settings.ALERT_SECRETS_KEY = ["new", "old"]
    stored = encrypt_secrets(SECRETS)
    assert decrypt_secrets(before) == SECRETS
    settings.SECRET_KEY, settings.ALERT_SECRETS_KEY = "another", ["newer", "new"]
    assert decrypt_secrets(stored) == SECRETS
