"""E-mail through Django; the mail server is a setting (EMAIL_URL) that cannot be changed in the admin."""

import smtplib
import socket
import ssl
from email.utils import make_msgid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

from errors.placeholders import clean_text
from monitoring.delivery.channels.base import OutgoingMessage, Transport
from monitoring.exceptions import (
    ChannelMisconfigured,
    ChannelTimedOut,
    ChannelUnavailable,
    ChannelUnreachable,
    DeliveryFailed,
    MessageRejected,
)
from performance.client_metrics import measure_call

RECIPIENTS = "recipients"
MAX_RECIPIENTS = 20


class Email(Transport):
    """One message to all recipients. A repeated delivery has the same Message-ID, so mail clients show it once."""

    required_fields = accepted_fields = frozenset({RECIPIENTS})
    hints = {RECIPIENTS: "用逗号分隔；邮件服务器由设置 EMAIL_URL 给出"}

    def validate(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Check the number and the syntax of the recipients."""
        if len(recipients) > MAX_RECIPIENTS:
            return {RECIPIENTS: f"最多 {MAX_RECIPIENTS} 个收件人"}
        invalid = []
        for recipient in recipients:
            try:
                validate_email(recipient)
            except ValidationError:
                invalid.append(recipient)
        return {RECIPIENTS: f"不是邮件地址：{'、'.join(invalid)[:100]}"} if invalid else {}

    def send(self, outgoing: OutgoingMessage) -> str:
        """Hand the message to the mail server."""
        if not settings.EMAIL_HOST:
            raise ChannelMisconfigured("没有邮件服务器（设置 EMAIL_URL）")
        domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("<> ") or "localhost"
        with measure_call("alerts.email"):
            try:
                EmailMessage(
                    subject=outgoing.message.headline(outgoing.number),
                    body=outgoing.message.to_text(outgoing.number),
                    to=outgoing.recipients,
                    headers={
                        "Message-ID": build_message_id(outgoing.number, domain),
                        "Auto-Submitted": "auto-generated",
                    },
                    connection=get_connection(timeout=settings.EMAIL_TIMEOUT),
                ).send()
            except Exception as error:
                raise classify_smtp_error(error) from error
        return "250"


def build_message_id(number: int, domain: str) -> str:
    """Return the same Message-ID for the same number; a test message, numbered 0, gets a random one."""
    return f"<alert-message-{number}@{domain}>" if number else make_msgid(domain=domain)


def classify_smtp_error(error: Exception) -> DeliveryFailed:
    """Return the failure that an smtplib exception means. The server's reply is cleaned: it can name addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = next(iter(error.recipients.values()), (550, b""))
        return _classify_smtp_code(code, reply, ChannelMisconfigured, "收件人被拒绝")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _classify_smtp_code(
            error.smtp_code, error.smtp_error, ChannelMisconfigured, "邮件服务器不接受用户名或密码"
        )
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _classify_smtp_code(
            error.smtp_code, error.smtp_error, ChannelMisconfigured, "发件人被拒绝（DEFAULT_FROM_EMAIL）"
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return _classify_smtp_code(error.smtp_code, error.smtp_error, MessageRejected, "邮件被拒绝")
    if isinstance(error, TimeoutError | socket.timeout):
        return ChannelTimedOut("邮件服务器没有及时应答")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ChannelUnreachable("邮件服务器的证书无效或已过期")
    if isinstance(error, OSError):  # base class of smtplib's other exceptions
        return ChannelUnreachable(f"连不上邮件服务器（{type(error).__name__}）")
    return MessageRejected(f"邮件无法写成（{type(error).__name__}）")


def _classify_smtp_code(
    code: int, reply: bytes | str, rejection_class: type[DeliveryFailed], summary: str
) -> DeliveryFailed:
    """4xx is temporary, 5xx permanent."""
    detail = clean_text(reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply, 100)
    if 400 <= code < 500:
        return ChannelUnavailable(f"邮件服务器稍后再收：{detail}", provider_code=str(code))
    return rejection_class(f"{summary}：{detail}", provider_code=str(code))
