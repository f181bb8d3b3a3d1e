"""The clock for deadlines: that of the database, shared by all processes. A machine's clock may be stepped."""

from datetime import datetime

from django.db import connection


def get_database_time() -> datetime:
    """Return the current time of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
