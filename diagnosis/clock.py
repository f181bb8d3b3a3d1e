"""The clock that deadlines are told by: the database's, which all processes share. Their own may be stepped."""

from datetime import datetime

from django.db import connection


def get_database_time() -> datetime:
    """What time it is there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
