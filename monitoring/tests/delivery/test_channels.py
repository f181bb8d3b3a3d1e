"""Each kind of channel against a robot as strict as the real one, and what their codes mean to us."""

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from monitoring.delivery.channels import TRANSPORTS, parse_recipients
from monitoring.delivery.channels.base import OutgoingMessage
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
from testing.fake_chat_bots import SIGNING_SECRET, FakeChatBots
from testing.services import find_free_port

MESSAGE = Message(
    "错误率过高",
    "fired",
    "critical",
    facts=[("当前值", "12.5 %"), ("标签 brand", "@all <at user_id=all></at> [点我](http://evil.example) **粗**\n# 大")],
    links=[("处理手册", "https://runbook.example/a")],
)


@pytest.fixture
def robots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as found:
        yield found


def sending(address: str, key: str = SIGNING_SECRET, message: Message = MESSAGE, number: int = 42) -> OutgoingMessage:
    return OutgoingMessage(number, message, {"address": address, "key": key})


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu", "webhook"])
def test_a_message_arrives_with_its_number_and_mentions_nobody(kind: str, robots: FakeChatBots) -> None:
    TRANSPORTS[kind].send(sending(getattr(robots, kind)))
    [text] = robots.get_message_texts()
    assert "【严重·触发】错误率过高（#42）" in text
    assert "12.5 %" in text and "https://runbook.example/a" in text
    if kind != "webhook":  # which is for programs, and has the values as they are
        assert not any(found in text for found in ("@", "<", "http://evil", "[点我]", "**粗", "\n# "))


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu"])
def test_the_longest_message_is_cut_to_what_the_robot_takes(kind: str, robots: FakeChatBots) -> None:
    long = replace(MESSAGE, title="错" * 500, facts=[(f"标签 {n}", "误" * 600) for n in range(60)])
    TRANSPORTS[kind].send(sending(getattr(robots, kind), message=long))
    [text] = robots.get_message_texts()
    assert "#42" in text and text.endswith("（内容过长，已截断）") and "\ufffd" not in text


@pytest.mark.parametrize(
    ("kind", "key", "code"), [("dingtalk", "SEC-wrong", "310000"), ("dingtalk", "", "310000"), ("feishu", "x", "19021")]
)
def test_a_wrong_key_disables_the_channel(kind: str, key: str, code: str, robots: FakeChatBots) -> None:
    with pytest.raises(ChannelMisconfigured) as refused:
        TRANSPORTS[kind].send(sending(getattr(robots, kind), key))
    assert refused.value.provider_code == code and refused.value.is_permanent


@pytest.mark.parametrize(("kind", "code"), [("dingtalk", "130101"), ("wecom", "45009"), ("feishu", "9499")])
def test_the_21st_message_of_a_minute_is_too_fast_and_tried_again(kind: str, code: str, robots: FakeChatBots) -> None:
    for number in range(20):
        TRANSPORTS[kind].send(sending(getattr(robots, kind), number=number))
    with pytest.raises(ChannelRateLimited) as refused:
        TRANSPORTS[kind].send(sending(getattr(robots, kind)))
    assert refused.value.provider_code == code
    assert not refused.value.is_permanent and refused.value.wait_seconds == 60


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
def test_a_reply_means_what_its_code_says(
    kind: str, status: int, body: dict[str, object], expected: type[DeliveryFailed], robots: FakeChatBots
) -> None:
    robots.queued_replies = [(status, dict(body))]
    with pytest.raises(DeliveryFailed) as failed:
        TRANSPORTS[kind].send(sending(getattr(robots, kind)))
    assert type(failed.value) is expected
    assert len(robots.paths) == 1  # no redirect was followed, nothing was sent twice


def test_no_failure_tells_the_address_or_the_key() -> None:
    with socket.socket() as probe:  # bound and not listening: nobody answers
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}/robot/send?access_token=very-secret"
        with pytest.raises(ChannelUnreachable) as failed:
            TRANSPORTS["dingtalk"].send(sending(address))
    told = f"{failed.value} {failed.value!r} {failed.value.__cause__!r} {sending(address)!r}"
    assert "very-secret" not in told and SIGNING_SECRET not in told


def test_a_silent_robot_times_out(robots: FakeChatBots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.delivery.channels.http_post.POST_READ_TIMEOUT_SECONDS", 0.2)
    robots.may_respond.clear()
    with pytest.raises(ChannelTimedOut):
        TRANSPORTS["wecom"].send(sending(robots.wecom))


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
def test_an_address_elsewhere_is_refused_in_the_form_and_at_the_send(kind: str, address: str) -> None:
    assert "address" in TRANSPORTS[kind].validate({"address": address}, [])
    with pytest.raises(ChannelMisconfigured):
        TRANSPORTS[kind].send(sending(address))


def test_a_webhook_is_signed_and_carries_its_number(robots: FakeChatBots) -> None:
    TRANSPORTS["webhook"].send(sending(robots.webhook))
    headers = robots.headers[0]
    content = json.dumps(robots.received[0], ensure_ascii=False, separators=(",", ":")).encode()
    signed = headers["X-Alert-Timestamp"].encode() + b"." + content
    expected = hmac.new(SIGNING_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Alert-Signature"] == f"sha256={expected}"
    assert headers["Idempotency-Key"] == "42"


def test_apprise_reaches_an_allowed_host_and_its_failure_is_a_failure(robots: FakeChatBots) -> None:
    address = f"json://127.0.0.1:{robots.server_port}/hook"
    assert TRANSPORTS["apprise"].validate({"address": address}, []) == {}
    TRANSPORTS["apprise"].send(sending(address))
    assert "#42" in robots.received[0]["title"]
    robots.queued_replies = [(500, {})]
    with pytest.raises(ChannelUnavailable):
        TRANSPORTS["apprise"].send(sending(address))
    robots.queued_replies = [(302, {})]
    with pytest.raises(ChannelUnavailable):
        TRANSPORTS["apprise"].send(sending(f"{address}?redirect=yes"))


@pytest.mark.parametrize(
    "address", ["json://10.0.0.1/x", "syslog://", "mailtos://u:p@gmail.com", "nonsense", "ntfy://x"]
)
def test_apprise_is_refused_what_could_lead_anywhere(address: str) -> None:
    assert "address" in TRANSPORTS["apprise"].validate({"address": address}, [])
    with pytest.raises(ChannelMisconfigured):
        TRANSPORTS["apprise"].send(sending(address))


class Mailbox:
    """What a real mail server has taken; `says` are replies to the next recipients."""

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


def mail(recipients: str) -> OutgoingMessage:
    return OutgoingMessage(42, MESSAGE, {}, parse_recipients(recipients))


def test_an_e_mail_reaches_every_recipient_with_the_same_id_each_time(mailbox: Mailbox) -> None:
    for _ in range(2):
        TRANSPORTS["email"].send(mail("a@site.example，b@site.example"))
    assert [one.rcpt_tos for one in mailbox.taken] == [["a@site.example", "b@site.example"]] * 2
    contents = [one.content if isinstance(one.content, bytes) else b"" for one in mailbox.taken]
    assert all(b"Message-ID: <alert-message-42@" in content for content in contents)


@pytest.mark.parametrize(
    ("reply", "expected"), [("450 busy", ChannelUnavailable), ("550 no such user", ChannelMisconfigured)]
)
def test_a_mail_server_that_refuses_for_now_is_tried_again(
    reply: str, expected: type[DeliveryFailed], mailbox: Mailbox
) -> None:
    mailbox.queued_replies = [reply]
    with pytest.raises(DeliveryFailed) as failed:
        TRANSPORTS["email"].send(mail("a@site.example"))
    assert type(failed.value) is expected and failed.value.provider_code == reply[:3]


def test_e_mail_without_a_server_or_with_a_bad_recipient_says_so(settings: Any) -> None:
    settings.EMAIL_HOST = ""
    with pytest.raises(ChannelMisconfigured, match="EMAIL_URL"):
        TRANSPORTS["email"].send(mail("a@site.example"))
    assert "recipients" in TRANSPORTS["email"].validate({}, ["a@site.example", "no address"])
