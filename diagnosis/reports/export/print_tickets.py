"""Signed tickets for the printable page, for clients with a token but no browser session.

A browser that opens an address cannot send an Authorization header.
"""

import uuid
from typing import NamedTuple

from django.core import signing

PRINT_TICKET_TTL_SECONDS = 300  # for opening the page; an open page can be printed later


class PrintTicket(NamedTuple):
    """What may be opened (a report or a workspace), the public id of its user, and their token; None for a session."""

    subject_id: uuid.UUID
    user_id: uuid.UUID
    token_id: uuid.UUID | None


def issue_print_ticket(ticket: PrintTicket) -> str:
    """Return the signed ticket. The caller must have access to the subject."""
    token_id = ticket.token_id.hex if ticket.token_id else ""
    return _get_signer().sign(f"{ticket.subject_id.hex}-{ticket.user_id.hex}-{token_id}")


def read_print_ticket(signed: str) -> PrintTicket | None:
    """Return a ticket that was issued within the last PRINT_TICKET_TTL_SECONDS; whether its user still has access is
    for the caller to check.
    """
    try:
        subject_id, user_id, token_id = _get_signer().unsign(signed, max_age=PRINT_TICKET_TTL_SECONDS).split("-")
        return PrintTicket(uuid.UUID(subject_id), uuid.UUID(user_id), uuid.UUID(token_id) if token_id else None)
    except (signing.BadSignature, ValueError):
        return None


def _get_signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="diagnosis.print.of_user", sep=".")
