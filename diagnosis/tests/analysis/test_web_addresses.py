"""Hosts that a text cites."""

import pytest

from diagnosis.analysis.matching.web_addresses import find_addresses, get_cited_domains


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("参考：https://a.example/1https://b.example.cn/2", ["a.example", "b.example.cn"]),
        ("见 https://例子.中国/a 和 http://www.足球.cn/b 以及 https://äpfel.de/", ["例子.中国", "足球.cn", "äpfel.de"]),
        ("后端用 ASP.NET，实时用 Socket.IO，网关 v2.top 版", []),
        ("https://пример.рф/，https://shop.例子.公司。", ["пример.рф", "shop.例子.公司"]),
        ("https://www.mi.com推荐，HTTPS://A.EXAMPLE:8080/b", ["mi.com", "a.example"]),
        ("NIKE.COM 与 monday.com", ["nike.com", "monday.com"]),
        ("http://10.0.0.1/x https://localhost/ mail@a.example", []),
    ],
)
def test_cited_hosts(text: str, hosts: list[str]) -> None:
    assert get_cited_domains(find_addresses(text)) == hosts
