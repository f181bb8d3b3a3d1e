"""Metrics of sockets, polls and notifications."""

from prometheus_client import Counter, Gauge

stream_sockets_open = Gauge("progress_sockets_open", "WebSockets open now in this process")
sockets_opened = Counter("progress_sockets_opened", "WebSockets accepted")
sockets_closed = Counter("progress_sockets_closed", "WebSockets closed, by the code that was sent", ["code"])
polls_open = Gauge("progress_polls_open", "Long polls waiting now in this process")
frames_sent = Counter("progress_frames_sent", "Frames sent over WebSockets")
bytes_sent = Counter("progress_bytes_sent", "Payload bytes sent over WebSockets")
bytes_received = Counter("progress_bytes_received", "Payload bytes received over WebSockets")
stream_notifications_sent = Counter("progress_wakeups_sent", "Notifications handed to the channel layer")
push_working = Gauge(
    "progress_push_working",
    "1 while notifications reach this process; 0 while only the sweep delivers events",
)
push_working.set(1)
push_reopened = Counter("progress_push_reopened", "Connections of the channel layer opened again after a silence")
stream_notifications_lost = Counter("progress_wakeups_lost", "Notifications that the channel layer did not accept")
