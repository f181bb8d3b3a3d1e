"""REDIS_URL in its two forms."""

import pytest

from performance.redis_clients import SentinelUrl, parse_sentinel_url


def test_url_of_one_server_is_left_alone() -> None:
    assert parse_sentinel_url("redis://:secret@host:6379/0") is None


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("redis+sentinel://a:1,b:2,c/main", SentinelUrl([("a", 1), ("b", 2), ("c", 26379)], "main", {"db": 0}, {})),
        (
            "redis+sentinel://user:p%40ss@a:1/main/3?sentinel_password=other",
            SentinelUrl([("a", 1)], "main", {"db": 3, "username": "user", "password": "p@ss"}, {"password": "other"}),
        ),
        ("redis+sentinel://:pw@a/main/", SentinelUrl([("a", 26379)], "main", {"db": 0, "password": "pw"}, {})),
    ],
)
def test_sentinel_url_is_parsed(url: str, parsed: SentinelUrl) -> None:
    assert parse_sentinel_url(url) == parsed


@pytest.mark.parametrize(
    "path", ["", "a:1", "a:1/", "/main", "a:x/main", "a:1,/main", "a:1/main/x", "a:1/main?typo=1", ":1/main"]
)
def test_other_sentinel_url_is_refused_with_the_format(path: str) -> None:
    with pytest.raises(ValueError, match=r"redis\+sentinel://host:26379"):
        parse_sentinel_url(f"redis+sentinel://{path}")
