"""Group names of the channel layer."""

STREAM_NOTIFICATIONS_GROUP = "progress.wake_ups"
"""Each server process joins it once. A message contains the ids of streams with new events."""
