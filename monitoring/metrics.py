"""Metrics of requests, WebSockets, jobs, management commands, samples and alert deliveries.

Every other app has its own `metrics.py`.
"""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SOCKET_SECONDS_BUCKETS = (1, 5, 15, 60, 300, 900, 3600)
JOB_SECONDS_BUCKETS = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 600)

http_requests = Counter(
    "http_requests",
    "Requests answered, by URL pattern; status: 1xx to 5xx, or left if the client disconnected before the response",
    ["route", "method", "status"],
)
http_request_seconds = Histogram(
    "http_request_seconds", "Duration of a request", ["route", "method"], buckets=REQUEST_SECONDS_BUCKETS
)
socket_connections = Counter(
    "socket_connections",
    "WebSockets closed, by URL pattern and close code",
    ["route", "code"],
)
socket_seconds = Histogram(
    "socket_seconds", "Duration of a WebSocket connection", ["route"], buckets=SOCKET_SECONDS_BUCKETS
)
socket_connections_open = Gauge("socket_connections_open", "WebSockets connected in this process", ["route"])
jobs = Counter("jobs", "Jobs run; outcome: done, failed, or interrupted", ["task", "outcome"])
job_seconds = Histogram("job_seconds", "Duration of a job", ["task"], buckets=JOB_SECONDS_BUCKETS)
jobs_waiting = Gauge("jobs_waiting", "Jobs of the whole site that no worker has started", ["queue"])
jobs_running = Gauge("jobs_running", "Jobs running in this process", ["task"])
commands = Counter("commands", "Management commands run; outcome: done, failed, or interrupted", ["command", "outcome"])
command_seconds = Histogram(
    "command_seconds", "Duration of a management command", ["command"], buckets=JOB_SECONDS_BUCKETS
)
sample_flushes = Counter("sample_flushes", "Flushes of this process's samples; outcome: done or failed", ["outcome"])
alert_deliveries = Counter(
    "alert_deliveries",
    "Attempts to send an alert message, by channel kind; outcome: sent, retried, or given_up",
    ["channel", "outcome"],
)
