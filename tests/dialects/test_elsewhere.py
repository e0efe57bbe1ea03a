"""What a body names that is not in it. How it is used is tested with each reader."""

from __future__ import annotations

import pytest

from guardproxy.dialects.elsewhere import named_in, reads_elsewhere
from guardproxy.strict_json import JsonValue


def test_members_that_name_something_are_found_whatever_their_case() -> None:
    body: dict[str, JsonValue] = {
        "file_ids": ["f1"], "Cached_Content": "c", "container": None, "skills": [], "model": "m",
    }  # fmt: skip

    assert [*named_in(body)] == [("Cached_Content", "c"), ("file_ids", ["f1"])]


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"server_url": "https://example.com"}, True),
        ([{"type": "x"}, {"deep": [{"Library_IDs": ["l"]}]}], True),
        ({"name": "f", "parameters": {"server_url": "https://example.com"}}, False),
        ({"parameters": {"server_url": "https://example.com"}}, True),
        ({"properties": {"file_ids": {"type": "array"}}}, False),
        ({"server_url": ""}, False),
        ("server_url", False),
        (None, False),
    ],
)
def test_a_tool_reads_elsewhere_if_it_says_where(tool: JsonValue, expected: bool) -> None:
    assert reads_elsewhere(tool) is expected
