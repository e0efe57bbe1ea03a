from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardproxy.errors import DataError
from guardproxy.evals.trained_on import trained_sources


@pytest.mark.parametrize(
    "content",
    [
        ["a", "b"],
        {"sources": ["a", "b"]},
        {"seed": 1, "sources": {"a": 10, "b": 20}},
        {"run": {"data": {"sources": ["a", "b"]}}},
        {"sources": 2, "data": {"sources": ["a", "b"]}},
        {"sources": ["a", "b"], "held_apart": {"sources": ["c"]}},
    ],
)
def test_the_outermost_list_of_sources_counts(tmp_path: Path, content: object) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(content), encoding="utf-8")

    assert trained_sources(file) == {"a", "b"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{}", ": names no sources: a key `sources`"),
        (b'{"sources": []}', ": names no sources"),
        (b'{"sources": [1]}', ": names no sources"),
        (b'{\n"sources": [', ":2: is no JSON"),
        (b'"\xff"', ": is not UTF-8"),
        (b"[" * 100_000, ": is nested too deep"),
    ],
)
def test_what_names_no_sources_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content)

    with pytest.raises(DataError) as caught:
        trained_sources(file)

    assert str(caught.value).removeprefix(str(file)).startswith(says)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        trained_sources(tmp_path / "run.json")
