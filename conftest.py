"""What all tests share: the database of each test process, patience with a busy machine, a clock without surprises."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import hypothesis
import pytest
from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

from testing.site import get_migrated_template

# A busy machine is no failure; what fails is printed with what reproduces it.
hypothesis.settings.register_profile("patient", deadline=None, print_blob=True)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Have the tables copied, in 0.1 s, rather than migrated by each process for itself."""
    connection.settings_dict["TEST"]["TEMPLATE"] = get_migrated_template()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Leave it where it is: its server goes at the end of the run, whoever is still connected."""
    return True


# The same for all tests: emptied with the rest, they would be made again after each that commits, in 0.1 s.
PRESERVED_TABLES = {"django_content_type", "auth_permission"}


def _flush_tables(test: TransactionTestCase) -> None:
    tables = (
        set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - PRESERVED_TABLES
    )
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), sorted(tables)))


@pytest.fixture(scope="session", autouse=True)
def fast_table_flush() -> Iterator[None]:
    """After a test that commits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _flush_tables)
        yield


@pytest.fixture
def well_inside_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The windows in memory begin with the minutes: a test that met one would see two of them."""
    started, minute = time.monotonic(), time.time() // 60 * 60
    clock = SimpleNamespace(time=lambda: minute + 10 + time.monotonic() - started)
    monkeypatch.setattr("limits.aio.storage.memory.time", clock)
