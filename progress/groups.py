"""Every group name of the channel layer, in one place."""

STREAM_NOTIFICATIONS_GROUP = "progress.wake_ups"
"""Every serving process is its member, once. A message names the streams whose logs have grown."""
