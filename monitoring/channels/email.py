"""E-mail through Django's mail; the server is a setting (EMAIL_URL), so nobody can point it elsewhere in the admin."""

import smtplib
import socket
import ssl
from email.utils import make_msgid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

from errors.placeholders import clean_text
from monitoring.channels.base import Sending, Transport
from monitoring.exceptions import (
    ChannelFailing,
    ChannelRefused,
    ChannelTimedOut,
    ChannelUnreachable,
    DeliveryFailed,
    MessageRefused,
)
from performance.outgoing import measured_call

RECIPIENTS = "recipients"
MOST_RECIPIENTS = 20


class Email(Transport):
    """One message to all recipients. A repeat has the same Message-ID, so that mail clients show it once."""

    needs = takes = frozenset({RECIPIENTS})
    hints = {RECIPIENTS: "用逗号分隔；邮件服务器由设置 EMAIL_URL 给出"}

    def faults(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Every recipient must be an address."""
        if len(recipients) > MOST_RECIPIENTS:
            return {RECIPIENTS: f"最多 {MOST_RECIPIENTS} 个收件人"}
        wrong = [one for one in recipients if not _is_mail_address(one)]
        return {RECIPIENTS: f"不是邮件地址：{'、'.join(wrong)[:100]}"} if wrong else {}

    def send(self, sending: Sending) -> str:
        """Hand it to the mail server; returns its 250."""
        if not settings.EMAIL_HOST:
            raise ChannelRefused("没有邮件服务器（设置 EMAIL_URL）")
        with measured_call("alerts.email"):
            try:
                _message_of(sending).send()
            except Exception as error:
                raise _failure_of(error) from error
        return "250"


def _message_of(sending: Sending) -> EmailMessage:
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("<> ") or "localhost"
    return EmailMessage(
        subject=sending.message.headline(sending.number),
        body=sending.message.text(sending.number),
        to=sending.recipients,
        headers={"Message-ID": make_msgid_of(sending.number, domain), "Auto-Submitted": "auto-generated"},
        connection=get_connection(timeout=settings.EMAIL_TIMEOUT),
    )


def make_msgid_of(number: int, domain: str) -> str:
    """Always the same for a number; a test of a channel, which has none, gets one of its own."""
    return f"<alert-message-{number}@{domain}>" if number else make_msgid(domain=domain)


def _failure_of(error: Exception) -> DeliveryFailed:
    """What a failure of smtplib means. The server's words are shown; those of a refusal can name addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()), (550, b""))
        return _failure_of_code(code, words, ChannelRefused, "收件人被拒绝")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return ChannelRefused("邮件服务器不接受用户名或密码", provider_code=str(error.smtp_code))
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _failure_of_code(error.smtp_code, error.smtp_error, ChannelRefused, "发件人被拒绝（DEFAULT_FROM_EMAIL）")
    if isinstance(error, smtplib.SMTPResponseException):
        return _failure_of_code(error.smtp_code, error.smtp_error, MessageRefused, "邮件被拒绝")
    if isinstance(error, TimeoutError | socket.timeout):
        return ChannelTimedOut("邮件服务器没有及时应答")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ChannelRefused("邮件服务器的证书无效")
    if isinstance(error, OSError):  # of which smtplib's other exceptions are kinds
        return ChannelUnreachable(f"连不上邮件服务器（{type(error).__name__}）")
    return MessageRefused(f"邮件无法写成（{type(error).__name__}）")


def _failure_of_code(code: int, words: bytes | str, refused: type[DeliveryFailed], what: str) -> DeliveryFailed:
    """4xx is for now, 5xx for ever."""
    said = clean_text(words.decode("utf-8", "replace") if isinstance(words, bytes) else words, 100)
    if 400 <= code < 500:
        return ChannelFailing(f"邮件服务器稍后再收：{said}", provider_code=str(code))
    return refused(f"{what}：{said}", provider_code=str(code))


def _is_mail_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
