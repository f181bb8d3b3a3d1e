"""The outbox of messages: written with what they tell of, sent by anybody, lost by nobody."""

from django.db import transaction

from monitoring.models import Alert, Delivery


def enqueue_deliveries(alert: Alert, kind: str) -> list[Delivery]:
    """Write what the channels of an alert are to be told, in the caller's transaction.

    kind: "fired", "repeated", "resolved". The rule's channels, else the default ones; none at all is logged.
    """
    assert transaction.get_connection().in_atomic_block
    return []


def enqueue_text(title: str, text: str, severity: str) -> list[Delivery]:
    """Write a message of no single alert (what a silence held back) for the default channels."""
    return []


def send_due() -> int:
    """Send what is due, one after another; returns how many were tried. Any number of senders at once are safe."""
    return 0


async def keep_sending() -> None:
    """Send what is due until cancelled."""
