from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.cli import moderate_input
from guardproxy.cli.moderate_input import (
    OVERLAP_CHARACTERS,
    SECTION_CHARACTERS,
    Entry,
    UnreadableError,
    batches,
    entries,
    sections,
    total_bytes,
)

lengths = st.integers(0, 4 * SECTION_CHARACTERS)


@given(lengths)
def test_sections_overlap_and_leave_nothing_out(length: int) -> None:
    text = "".join(chr(0x4E00 + place % 20_000) for place in range(length))
    found = list(sections(Entry("a", text, size=7)))

    assert found[0].start == 0
    assert all(piece.text == text[piece.start :][: len(piece.text)] for piece in found)
    assert all(len(piece.text) <= SECTION_CHARACTERS for piece in found)
    for piece, following in pairwise(found):
        assert following.start == piece.start + len(piece.text) - OVERLAP_CHARACTERS
    assert found[-1].start + len(found[-1].text) == length
    assert [piece.last for piece in found] == [False] * (len(found) - 1) + [True]
    assert sum(piece.share for piece in found) == pytest.approx(7)


def test_a_section_says_which_characters_it_holds() -> None:
    first, second = sections(Entry("a", "x" * (SECTION_CHARACTERS + 1)))

    assert first.path == f"0-{SECTION_CHARACTERS}"
    assert second.path == f"{SECTION_CHARACTERS - OVERLAP_CHARACTERS}-{SECTION_CHARACTERS + 1}"


@given(st.lists(lengths, max_size=8))
def test_batches_keep_order_and_bounds(sizes: list[int]) -> None:
    pieces = [piece for size in sizes for piece in sections(Entry("a", "x" * size))]
    found = list(batches(pieces, most=3, characters=2 * SECTION_CHARACTERS))

    assert [piece for batch in found for piece in batch] == pieces
    assert all(1 <= len(batch) <= 3 for batch in found)
    for batch in found:
        assert sum(len(piece.text) for piece in batch[:-1]) < 2 * SECTION_CHARACTERS


def test_texts_come_first_then_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes("\ufeffgrüße".encode())
    name = str(tmp_path / "b.txt")

    assert list(entries(["a", ""], [name], lines=False)) == [
        Entry("text 1", "a", size=1),
        Entry("text 2", ""),
        Entry(name, "grüße", size=10),
    ]


def test_lines_of_json_are_read_one_by_one_and_bad_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = [
        b'{"text": "a", "id": 7}',
        b"",
        b'{"input": "b"}\r',
        b'{"text": 1}',
        b'{"text": "a", "input": "b"}',
        b"[]",
        b"{",
        b'{"text": "\xff"}',
        b'{"text": "c"}',
    ]
    path.write_bytes(b"\n".join(lines))
    found = list(entries([], [str(path)], lines=True))

    assert [(entry.line, entry.text) for entry in found if entry.error is None] == [
        (1, "a"),
        (3, "b"),
        (9, "c"),
    ]
    bad = {entry.line: entry.error for entry in found if entry.error is not None}
    assert set(bad) == {4, 5, 6, 7, 8}
    assert bad[4] == bad[5] == bad[6] == 'not an object with one string as "text" (or "input")'
    assert found[0].label == f"{path}:1"
    assert sum(entry.size for entry in found) == path.stat().st_size - 1


def test_stdin_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hello")))

    assert list(entries([], ["-"], lines=False)) == [Entry("stdin", "hello", size=5)]


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moderate_input, "MOST_BYTES", 4)
    large, wrong = tmp_path / "large", tmp_path / "wrong"
    large.write_bytes(b"12345")
    wrong.write_bytes(b"ab\xff")

    for name, lines, problem in [
        (str(tmp_path / "none"), False, "none: No such file or directory"),
        (str(tmp_path), False, "Is a directory"),
        (str(large), False, "large: is larger than 4 bytes"),
        (str(large), True, "large:1: is longer than 4 bytes"),
        (str(wrong), False, r"wrong: is not UTF-8 text \(byte 2\)"),
    ]:
        with pytest.raises(UnreadableError, match=problem):
            list(entries([], [name], lines=lines))


def test_as_much_as_allowed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moderate_input, "MOST_BYTES", 4)
    path = tmp_path / "fits"
    path.write_bytes(b"1234")

    assert [entry.text for entry in entries([], [str(path)], lines=False)] == ["1234"]


def test_how_much_there_is_is_known_of_files_only(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123")

    assert total_bytes(["ab"], [str(path)]) == 5
    assert total_bytes(["ab"], [str(path), "-"]) is None
    assert total_bytes([], [str(tmp_path / "none")]) is None
