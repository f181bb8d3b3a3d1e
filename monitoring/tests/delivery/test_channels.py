"""Each channel kind against a server as strict as the real one, and the classification of its responses."""

import hashlib
import hmac
import json
import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from monitoring.delivery.channels import TRANSPORTS, parse_recipients
from monitoring.delivery.channels.base import OutgoingMessage
from monitoring.delivery.channels.email import classify_smtp_error
from monitoring.delivery.messages import Message
from monitoring.exceptions import (
    ChannelMisconfigured,
    ChannelRateLimited,
    ChannelTimedOut,
    ChannelUnavailable,
    ChannelUnreachable,
    DeliveryFailed,
    MessageRejected,
)
from testing.fakes.chat_bots import SIGNING_SECRET, FakeChatBots
from testing.services import find_free_port

MESSAGE = Message(
    "错误率过高",
    "fired",
    "critical",
    facts=[("当前值", "12.5 %"), ("标签 brand", "@all <at user_id=all></at> [点我](http://evil.example) **粗**\n# 大")],
    links=[("处理手册", "https://runbook.example/a")],
)


@pytest.fixture
def bots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as bots:
        yield bots


def make_outgoing(
    address: str, key: str = SIGNING_SECRET, message: Message = MESSAGE, number: int = 42
) -> OutgoingMessage:
    return OutgoingMessage(number, message, {"address": address, "key": key})


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu", "webhook"])
def test_message_arrives_with_its_number_and_without_mentions(kind: str, bots: FakeChatBots) -> None:
    TRANSPORTS[kind].send(make_outgoing(getattr(bots, kind)))
    [text] = bots.get_message_texts()
    assert "【严重·触发】错误率过高（#42）" in text
    assert "12.5 %" in text and "https://runbook.example/a" in text
    if kind != "webhook":  # read by programs, so its values are unchanged
        assert not any(markup in text for markup in ("@", "<", "http://evil", "[点我]", "**粗", "\n# "))


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu"])
def test_long_message_is_truncated_to_the_limit_of_the_bot(kind: str, bots: FakeChatBots) -> None:
    long = replace(MESSAGE, title="错" * 500, facts=[(f"标签 {n}", "误" * 600) for n in range(60)])
    TRANSPORTS[kind].send(make_outgoing(getattr(bots, kind), message=long))
    [text] = bots.get_message_texts()
    assert "#42" in text and text.endswith("（内容过长，已截断）") and "\ufffd" not in text


@pytest.mark.parametrize(
    ("kind", "key", "code"), [("dingtalk", "SEC-wrong", "310000"), ("dingtalk", "", "310000"), ("feishu", "x", "19021")]
)
def test_wrong_key_is_a_misconfiguration(kind: str, key: str, code: str, bots: FakeChatBots) -> None:
    with pytest.raises(ChannelMisconfigured) as raised:
        TRANSPORTS[kind].send(make_outgoing(getattr(bots, kind), key))
    assert raised.value.provider_code == code and raised.value.disables_channel


@pytest.mark.parametrize(("kind", "code"), [("dingtalk", "130101"), ("wecom", "45009"), ("feishu", "9499")])
def test_21st_message_per_minute_is_rate_limited(kind: str, code: str, bots: FakeChatBots) -> None:
    for number in range(20):
        TRANSPORTS[kind].send(make_outgoing(getattr(bots, kind), number=number))
    with pytest.raises(ChannelRateLimited) as raised:
        TRANSPORTS[kind].send(make_outgoing(getattr(bots, kind)))
    assert raised.value.provider_code == code
    assert not raised.value.is_permanent and raised.value.wait_seconds == 60


@pytest.mark.parametrize(
    ("kind", "status", "body", "expected"),
    [
        ("dingtalk", 200, {"errcode": -1, "errmsg": "系统繁忙"}, ChannelUnavailable),
        ("dingtalk", 200, {"errcode": 777777, "errmsg": "new"}, ChannelUnavailable),
        ("dingtalk", 200, {"errcode": 430102, "errmsg": "bad words"}, MessageRejected),
        ("dingtalk", 200, {"errcode": 300001, "errmsg": "token is not exist"}, ChannelMisconfigured),
        ("dingtalk", 200, {}, ChannelMisconfigured),
        ("dingtalk", 503, {}, ChannelUnavailable),
        ("dingtalk", 302, {}, ChannelMisconfigured),
        ("wecom", 200, {"errcode": 93000, "errmsg": "invalid webhook url, hint"}, ChannelMisconfigured),
        ("wecom", 200, {"errcode": 93000, "errmsg": "Invalid input : content exceed max length."}, MessageRejected),
        ("feishu", 200, {"code": 19024, "msg": "Key Words Not Found"}, ChannelMisconfigured),
        ("feishu", 200, {"code": 11232, "msg": "frequency limited"}, ChannelRateLimited),
        ("feishu", 400, {"code": 9499, "msg": "Bad Request"}, MessageRejected),
        ("webhook", 429, {}, ChannelRateLimited),
        ("webhook", 500, {}, ChannelUnavailable),
        ("webhook", 401, {}, ChannelMisconfigured),
        ("webhook", 302, {}, ChannelMisconfigured),
        ("webhook", 422, {}, MessageRejected),
    ],
)
def test_response_codes_are_classified(
    kind: str, status: int, body: dict[str, object], expected: type[DeliveryFailed], bots: FakeChatBots
) -> None:
    bots.queued_replies = [(status, dict(body))]
    with pytest.raises(DeliveryFailed) as raised:
        TRANSPORTS[kind].send(make_outgoing(getattr(bots, kind)))
    assert type(raised.value) is expected
    assert len(bots.paths) == 1  # no redirect was followed, nothing was sent twice


def test_errors_do_not_contain_url_or_key() -> None:
    with socket.socket() as probe:  # bound but not listening
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}/robot/send?access_token=very-secret"
        with pytest.raises(ChannelUnreachable) as raised:
            TRANSPORTS["dingtalk"].send(make_outgoing(address))
    text = f"{raised.value} {raised.value!r} {raised.value.__cause__!r} {make_outgoing(address)!r}"
    assert "very-secret" not in text and SIGNING_SECRET not in text


def test_unresponsive_bot_times_out(bots: FakeChatBots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.delivery.channels.http_post.POST_READ_TIMEOUT_SECONDS", 0.2)
    bots.may_respond.clear()
    with pytest.raises(ChannelTimedOut):
        TRANSPORTS["wecom"].send(make_outgoing(bots.wecom))


@pytest.mark.parametrize(
    "address",
    [
        "https://169.254.169.254/latest",
        "http://oapi.dingtalk.com/x",
        "file:///etc/passwd",
        "https://u:p@127.0.0.1/",
        "x",
    ],
)
@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu", "webhook"])
def test_disallowed_url_is_rejected_in_the_form_and_when_sending(kind: str, address: str) -> None:
    assert "address" in TRANSPORTS[kind].validate({"address": address}, [])
    with pytest.raises(ChannelMisconfigured):
        TRANSPORTS[kind].send(make_outgoing(address))


def test_webhook_is_signed_and_has_an_idempotency_key(bots: FakeChatBots) -> None:
    TRANSPORTS["webhook"].send(make_outgoing(bots.webhook))
    headers = bots.headers[0]
    content = json.dumps(bots.received[0], ensure_ascii=False, separators=(",", ":")).encode()
    signed = headers["X-Alert-Timestamp"].encode() + b"." + content
    expected = hmac.new(SIGNING_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Alert-Signature"] == f"sha256={expected}"
    assert headers["Idempotency-Key"] == "42"


def test_apprise_sends_to_allowed_hosts_and_reports_failures(bots: FakeChatBots) -> None:
    address = f"json://127.0.0.1:{bots.server_port}/hook"
    assert TRANSPORTS["apprise"].validate({"address": address}, []) == {}
    TRANSPORTS["apprise"].send(make_outgoing(address))
    assert "#42" in bots.received[0]["title"]
    bots.queued_replies = [(500, {})]
    with pytest.raises(ChannelUnavailable):
        TRANSPORTS["apprise"].send(make_outgoing(address))
    bots.queued_replies = [(302, {})]
    with pytest.raises(ChannelUnavailable):
        TRANSPORTS["apprise"].send(make_outgoing(address))


@pytest.mark.parametrize(
    "address", ["json://10.0.0.1/x", "syslog://", "mailtos://u:p@gmail.com", "nonsense", "ntfy://x"]
)
def test_apprise_rejects_other_hosts_and_services(address: str) -> None:
    assert "address" in TRANSPORTS["apprise"].validate({"address": address}, [])
    with pytest.raises(ChannelMisconfigured):
        TRANSPORTS["apprise"].send(make_outgoing(address))


class Mailbox:
    """A mail server that collects messages; queued_replies answer the next recipients."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.queued_replies: list[str] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.queued_replies:
            return self.queued_replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 OK"


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=find_free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    yield box
    controller.stop()


def make_email(recipients: str) -> OutgoingMessage:
    return OutgoingMessage(42, MESSAGE, {}, parse_recipients(recipients))


def test_repeated_email_has_the_same_message_id(mailbox: Mailbox) -> None:
    for _ in range(2):
        TRANSPORTS["email"].send(make_email("a@site.example，b@site.example"))
    assert [envelope.rcpt_tos for envelope in mailbox.taken] == [["a@site.example", "b@site.example"]] * 2
    contents = [envelope.content if isinstance(envelope.content, bytes) else b"" for envelope in mailbox.taken]
    assert all(b"Message-ID: <alert-message-42@" in content for content in contents)


@pytest.mark.parametrize(
    ("reply", "expected"), [("450 busy", ChannelUnavailable), ("550 no such user", ChannelMisconfigured)]
)
def test_smtp_replies_are_classified(reply: str, expected: type[DeliveryFailed], mailbox: Mailbox) -> None:
    mailbox.queued_replies = [reply]
    with pytest.raises(DeliveryFailed) as raised:
        TRANSPORTS["email"].send(make_email("a@site.example"))
    assert type(raised.value) is expected and raised.value.provider_code == reply[:3]


def test_email_requires_a_server_and_valid_recipients(settings: Any) -> None:
    settings.EMAIL_HOST = ""
    with pytest.raises(ChannelMisconfigured, match="EMAIL_URL"):
        TRANSPORTS["email"].send(make_email("a@site.example"))
    assert "recipients" in TRANSPORTS["email"].validate({}, ["a@site.example", "no address"])


@pytest.mark.parametrize(
    ("error", "is_retried_only"),
    [
        (smtplib.SMTPAuthenticationError(454, b"try again later"), True),
        (smtplib.SMTPSenderRefused(451, b"greylisted", "a@b.example"), True),
        (ssl.SSLCertVerificationError("certificate has expired"), True),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), False),
    ],
)
def test_temporary_smtp_failures_never_count_against_the_channel(error: Exception, is_retried_only: bool) -> None:
    failure = classify_smtp_error(error)
    assert not failure.is_permanent and failure.disables_channel is not is_retried_only
