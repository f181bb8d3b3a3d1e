"""Signed tickets for the printable page, for clients with a token but no browser session.

A browser that opens an address cannot send an Authorization header.
"""

import uuid

from django.core import signing

PRINT_TICKET_TTL_SECONDS = 300  # for opening the page; an open page can be printed later


def issue_print_ticket(diagnosis_id: uuid.UUID) -> str:
    """Return a ticket that opens the printable page. The caller must have access to the diagnosis."""
    return _get_signer().sign(diagnosis_id.hex)


def is_valid_print_ticket(ticket: str, diagnosis_id: uuid.UUID) -> bool:
    """Return whether the ticket was issued for this diagnosis within the last `PRINT_TICKET_TTL_SECONDS`."""
    try:
        return _get_signer().unsign(ticket, max_age=PRINT_TICKET_TTL_SECONDS) == diagnosis_id.hex
    except signing.BadSignature:
        return False


def _get_signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="diagnosis.print", sep=".")
