"""DATABASE_URL with one host and with several."""

from typing import Any

import pytest

from diagsite.server.database_url import split_hosts


@pytest.mark.parametrize(
    ("url", "first", "hosts"),
    [
        ("postgresql://u:p@h:1/n?sslmode=require", "postgresql://u:p@h:1/n?sslmode=require", {}),
        ("postgresql:///n?host=/run/postgresql", "postgresql:///n?host=/run/postgresql", {}),
        ("postgresql://u:p@a:1,b:2/n?x=1", "postgresql://u:p@a:1/n?x=1", {"HOST": "a,b", "PORT": "1,2"}),
        ("postgresql://a,b:2,c/n", "postgresql://a/n", {"HOST": "a,b,c", "PORT": "5432,2,5432"}),
        ("postgresql://u:a,b@h/n", "postgresql://u:a,b@h/n", {}),
    ],
)
def test_hosts_are_passed_to_libpq(url: str, first: str, hosts: dict[str, Any]) -> None:
    assert split_hosts(url) == (first, hosts)
