"""Metrics of messages to users."""

from prometheus_client import Gauge

wechat_messages_rejected = Gauge(
    "wechat_messages_rejected",
    "Subscribe messages that WeChat rejected since the last one it accepted, at most in the last 24 hours; errcode: "
    "40037 (unknown template), 47003 (values do not fit the template), or 41030 (the page does not exist)",
    ["errcode"],
)
