"""Alert channels of a site that runs as a process."""

from monitoring.delivery.channel_secrets import encrypt_secrets
from testing.site import insert_row


def create_default_channel(database: str, kind: str, address: str, key: str = "") -> None:
    """Insert a default channel with secrets encrypted by this process's SECRET_KEY, which the site inherits."""
    row = {
        "name": kind,
        "kind": kind,
        "is_enabled": True,
        "is_default": True,
        "recipients": "",
        "secrets": encrypt_secrets({"address": address, "key": key}),
        "disabled_reason": "",
        "last_error": "",
        "tried_at": "[]",
        "free_at": "now",
    }
    insert_row(database, "monitoring_channel", row)
