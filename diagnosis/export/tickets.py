"""A printable page for who has a token and no session: a browser that opens an address sends no headers along."""

import uuid

from django.core import signing

SECONDS = 300  # to open the page; what is open may be printed later


def issue_ticket(diagnosis_id: uuid.UUID) -> str:
    """For a diagnosis that the caller may see: whoever has it may open its printable page."""
    return _signer().sign(diagnosis_id.hex)


def is_good_ticket(ticket: str, diagnosis_id: uuid.UUID) -> bool:
    """Whether it was given out for this diagnosis within the last `SECONDS`."""
    try:
        return _signer().unsign(ticket, max_age=SECONDS) == diagnosis_id.hex
    except signing.BadSignature:
        return False


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="diagnosis.print", sep=".")
