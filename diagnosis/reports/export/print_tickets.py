"""A printable page for who has a token and no session: a browser that opens an address sends no headers along."""

import uuid

from django.core import signing

PRINT_TICKET_TTL_SECONDS = 300  # to open the page; what is open may be printed later


def issue_print_ticket(diagnosis_id: uuid.UUID) -> str:
    """For a diagnosis that the caller may see: whoever has it may open its printable page."""
    return _get_signer().sign(diagnosis_id.hex)


def is_valid_print_ticket(ticket: str, diagnosis_id: uuid.UUID) -> bool:
    """Whether it was given out for this diagnosis within the last `PRINT_TICKET_TTL_SECONDS`."""
    try:
        return _get_signer().unsign(ticket, max_age=PRINT_TICKET_TTL_SECONDS) == diagnosis_id.hex
    except signing.BadSignature:
        return False


def _get_signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="diagnosis.print", sep=".")
