"""Encryption of the channels' URLs and keys at rest.

The key is ALERT_SECRETS_KEY, or one derived from SECRET_KEY. Older keys (the further ones of ALERT_SECRETS_KEY, and
SECRET_KEY_FALLBACKS) only decrypt; what is saved is encrypted with the first key.
"""

import base64
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from monitoring.exceptions import SecretsDecryptionFailed

_HKDF_INFO = b"monitoring.channel.secrets"


def encrypt_secrets(secrets: Mapping[str, str]) -> str:
    """Return the text to store; "" if no secret is filled."""
    filled = {name: value for name, value in secrets.items() if value}
    return _build_fernet().encrypt(json.dumps(filled).encode()).decode() if filled else ""


def decrypt_secrets(stored: str) -> dict[str, str]:
    """Return {name: value}. Raises SecretsDecryptionFailed if no key fits."""
    if not stored:
        return {}
    try:
        secrets: dict[str, str] = json.loads(_build_fernet().decrypt(stored.encode()))
    except InvalidToken as error:
        raise SecretsDecryptionFailed("密钥已更换，无法解密，请重新填写地址与密钥") from error
    return secrets


def reencrypt_secrets(stored: str) -> str:
    """Return the same secrets encrypted with the first key. Raises SecretsDecryptionFailed."""
    return encrypt_secrets(decrypt_secrets(stored))


def _build_fernet() -> MultiFernet:
    keys = []
    for text in [*settings.ALERT_SECRETS_KEY, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]:
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_HKDF_INFO)
        keys.append(Fernet(base64.urlsafe_b64encode(derivation.derive(text.encode()))))
    return MultiFernet(keys)
