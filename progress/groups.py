"""Every group name of the channel layer, in one place."""

import uuid


def stream_group(stream_id: uuid.UUID) -> str:
    """The group whose members are woken when the stream's log has grown."""
    return f"stream.{stream_id.hex}"
