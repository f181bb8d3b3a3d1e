"""Metrics of requests, WebSockets, jobs, management commands, samples and alert deliveries."""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SOCKET_SECONDS_BUCKETS = (1, 5, 15, 60, 300, 900, 3600)
JOB_SECONDS_BUCKETS = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 600)

http_requests = Counter(
    "http_requests",
    "Requests answered, by the pattern of their address; status: 1xx to 5xx, or left when the client did not wait",
    ["route", "method", "status"],
)
http_request_seconds = Histogram(
    "http_request_seconds", "How long a request took", ["route", "method"], buckets=REQUEST_SECONDS_BUCKETS
)
socket_connections = Counter(
    "socket_connections",
    "WebSockets that have ended, by the pattern of their address and the code that they were closed with",
    ["route", "code"],
)
socket_seconds = Histogram(
    "socket_seconds", "How long a WebSocket was connected", ["route"], buckets=SOCKET_SECONDS_BUCKETS
)
socket_connections_open = Gauge("socket_connections_open", "WebSockets connected now in this process", ["route"])
jobs = Counter("jobs", "Jobs run; outcome: done, failed, or interrupted", ["task", "outcome"])
job_seconds = Histogram("job_seconds", "How long a job ran", ["task"], buckets=JOB_SECONDS_BUCKETS)
jobs_waiting = Gauge("jobs_waiting", "Jobs that no worker has taken yet, of the whole site", ["queue"])
jobs_running = Gauge("jobs_running", "Jobs running now in this process", ["task"])
commands = Counter("commands", "Management commands run; outcome: done, failed, or interrupted", ["command", "outcome"])
command_seconds = Histogram(
    "command_seconds", "How long a management command ran", ["command"], buckets=JOB_SECONDS_BUCKETS
)
sample_flushes = Counter(
    "sample_flushes", "Times that this process stored its samples; outcome: done or failed", ["outcome"]
)
alert_deliveries = Counter(
    "alert_deliveries",
    "Attempts to send a message of an alert, by the kind of channel; outcome: sent, retried, or given_up",
    ["channel", "outcome"],
)
