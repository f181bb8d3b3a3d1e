"""What all tests share: the database of each test process, hypothesis without deadlines, a clock for rate windows."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import hypothesis
import pytest
from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

from testing.site import get_migrated_template

# No deadline, as the machine may be busy; failures are printed with what reproduces them.
hypothesis.settings.register_profile("patient", deadline=None, print_blob=True)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Copy the tables from a template, which takes 0.1 s, instead of migrating in each process."""
    connection.settings_dict["TEST"]["TEMPLATE"] = get_migrated_template()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Do not drop the database: its server is thrown away at the end of the run."""
    return True


# Equal for all tests; recreating their rows would take 0.1 s after each test that commits.
PRESERVED_TABLES = {"django_content_type", "auth_permission"}


def _flush_tables(test: TransactionTestCase) -> None:
    tables = (
        set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - PRESERVED_TABLES
    )
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), sorted(tables)))


@pytest.fixture(scope="session", autouse=True)
def fast_table_flush() -> Iterator[None]:
    """Empty tables after a test that commits by one statement instead of Django's flush."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _flush_tables)
        yield


@pytest.fixture
def well_inside_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give rate windows in memory, which begin with the minute, a clock that starts 10 s into one."""
    started, minute = time.monotonic(), time.time() // 60 * 60
    clock = SimpleNamespace(time=lambda: minute + 10 + time.monotonic() - started)
    monkeypatch.setattr("limits.aio.storage.memory.time", clock)
