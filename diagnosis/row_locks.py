"""Row locks of requests: a request that waits for one holds a database connection, so it waits only briefly."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from diagnosis.exceptions import RowsBusy

MAX_LOCK_WAIT_MS = 300
RETRY_AFTER_MS = 1000


@contextmanager
def brief_transaction() -> Iterator[None]:
    """Run the block in a transaction. Raises RowsBusy if another holds its rows longer than MAX_LOCK_WAIT_MS."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {MAX_LOCK_WAIT_MS}")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise RowsBusy(retry_after_ms=RETRY_AFTER_MS) from error
        raise
