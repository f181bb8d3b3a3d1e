"""Channels' secrets are encrypted at rest, survive a change of the key, and are told to nobody."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from monitoring.delivery.channel_secrets import decrypt_secrets, encrypt_secrets, reencrypt_secrets
from monitoring.exceptions import SecretsDecryptionFailed
from monitoring.models import Channel

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
    renewed = reencrypt_secrets(stored)
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt_secrets(renewed) == SECRETS
    with pytest.raises(SecretsDecryptionFailed) as lost:
        decrypt_secrets(stored)
    assert lost.value.disables_channel and "重新填写" in str(lost.value)


def test_a_key_of_its_own_encrypts_and_outlives_the_secret_key(settings: Any) -> None:
    before = encrypt_secrets(SECRETS)
    settings.ALERT_SECRETS_KEY = ["new", "old"]
    stored = encrypt_secrets(SECRETS)
    assert decrypt_secrets(before) == SECRETS
    settings.SECRET_KEY, settings.ALERT_SECRETS_KEY = "another", ["newer", "new"]
    assert decrypt_secrets(stored) == SECRETS


@pytest.mark.django_db
def test_the_command_encrypts_again_and_names_what_is_lost(settings: Any) -> None:
    kept = Channel.objects.create(name="有救", kind="webhook", secrets=encrypt_secrets(SECRETS))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    call_command("encrypt_channels", "--dry-run", stdout=StringIO())
    assert Channel.objects.get().secrets == kept.secrets
    call_command("encrypt_channels", stdout=StringIO())
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt_secrets(Channel.objects.get().secrets) == SECRETS
    Channel.objects.create(name="没救", kind="webhook", secrets=kept.secrets)
    with pytest.raises(CommandError, match="没救"):
        call_command("encrypt_channels", stdout=StringIO())
