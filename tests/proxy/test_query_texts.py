"""What a query says: as a whole, and over its values."""

from __future__ import annotations

import pytest

from guardproxy.content import Role
from guardproxy.proxy.query_texts import PATH, texts_of


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        (b"", []),
        (b"api-version=2024-10-21", ["api-version=2024-10-21"]),
        (b"beta", ["beta"]),
        (b"&a=1&", ["&a=1&"]),
        (
            b"p0=How%20do&p1=I+b&p2=uild",
            ["p0=How do&p1=I b&p2=uild", "How do I b uild", "How doI build"],
        ),
        (b"a=bo;b=mb", ["a=bo;b=mb", "bo mb", "bomb"]),
        (b"bo=&m=&b", ["bo=&m=&b", "bo m b", "bomb"]),
        (b"q=a%26b&c=\xc3\xa9", ["q=a&b&c=\u00c3\u00a9", "a&b \u00c3\u00a9", "a&b\u00c3\u00a9"]),
    ],
)
def test_a_query_says_itself_and_its_values_joined(query: bytes, texts: list[str]) -> None:
    parts = list(texts_of(query))

    assert [part.text for part in parts] == texts
    assert {(part.role, part.path) for part in parts} <= {(Role.UNKNOWN, PATH)}
