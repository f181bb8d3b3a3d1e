"""Secrets of channels are encrypted at rest and survive key changes."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from monitoring.delivery.channel_secrets import decrypt_secrets, encrypt_secrets, reencrypt_secrets
from monitoring.exceptions import SecretsDecryptionFailed
from monitoring.models import Channel

SECRETS = {"address": "https://oapi.dingtalk.com/robot/send?access_token=very-secret", "key": "SEC-very-secret"}


def test_secrets_are_encrypted() -> None:
    stored = encrypt_secrets(SECRETS)
    assert "secret" not in stored and "dingtalk" not in stored
    assert decrypt_secrets(stored) == SECRETS
    assert encrypt_secrets({"address": ""}) == "" and decrypt_secrets("") == {}


def test_fallback_keys_decrypt_after_a_key_change(settings: Any) -> None:
    stored = encrypt_secrets(SECRETS)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert decrypt_secrets(stored) == SECRETS
    renewed = reencrypt_secrets(stored)
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt_secrets(renewed) == SECRETS
    with pytest.raises(SecretsDecryptionFailed) as raised:
        decrypt_secrets(stored)
    assert raised.value.disables_channel and "重新填写" in str(raised.value)


def test_alert_secrets_key_takes_precedence_over_secret_key(settings: Any) -> None:
    before = encrypt_secrets(SECRETS)
    settings.ALERT_SECRETS_KEY = ["new", "old"]
    stored = encrypt_secrets(SECRETS)
    assert decrypt_secrets(before) == SECRETS
    settings.SECRET_KEY, settings.ALERT_SECRETS_KEY = "another", ["newer", "new"]
    assert decrypt_secrets(stored) == SECRETS


@pytest.mark.django_db
def test_command_reencrypts_and_lists_undecryptable_channels(settings: Any) -> None:
    kept = Channel.objects.create(name="有救", kind="webhook", secrets=encrypt_secrets(SECRETS))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    call_command("encrypt_channels", stdout=StringIO())
    assert Channel.objects.get().secrets == kept.secrets
    call_command("encrypt_channels", "--apply", stdout=StringIO())
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt_secrets(Channel.objects.get().secrets) == SECRETS
    Channel.objects.create(name="没救", kind="webhook", secrets=kept.secrets)
    with pytest.raises(CommandError, match="没救"):
        call_command("encrypt_channels", "--apply", stdout=StringIO())
