"""Rows are read as they are written, or refused with file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import Role
from guardproxy.errors import DataError
from guardproxy.evals import data
from guardproxy.evals.data import data_files, read_rows
from guardproxy.evals.rows import LABELS
from tests.evals.samples import records, write_csv, write_jsonl

SECRET = "a text that nobody may see"


def refused(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_rows([file])
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    assert SECRET not in message
    return message.removeprefix(str(file))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_lines_of_json_are_rows(tmp_path: Path, name: str) -> None:
    conversation = [{"role": "user", "text": "hi"}, {"role": "assistant", "text": "hello"}]
    full = {
        "text": "and?", "lang": "de", "labels": {"pii": 1, "benign": 0}, "role": "assistant",
        "source": "ours", "id": 7, "pair": "a", "context": conversation, "orig": {"x": [1]},
    }  # fmt: skip
    file = write_jsonl(tmp_path / name, [{"text": "hm", "labels": {}}, full])

    bare, row = read_rows([file])

    assert (bare.lang, bare.role, bare.source, bare.id) == ("und", "none", "rows", "1")
    assert bare.place == f"{file}:1"
    assert (row.text, row.lang, row.role, row.source, row.id, row.pair) == (
        "and?", "de", "assistant", "ours", "7", "a",
    )  # fmt: skip
    assert row.labels == {"pii": True, "benign": False}
    assert [(turn.role, turn.text) for turn in row.context] == [
        (Role.USER, "hi"),
        (Role.ASSISTANT, "hello"),
    ]


def test_blank_lines_and_a_byte_order_mark_are_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + b'{"text": "a", "labels": {"pii": 0}}\n\n \n')

    assert [row.place for row in read_rows([file])] == [f"{file}:1"]


def test_csv_has_a_column_for_each_category(tmp_path: Path) -> None:
    file = write_csv(
        tmp_path / "rows.csv",
        [
            ["text", "pii", "sexual", "lang", "role"],
            ["two\nlines", "1", "", "fr", "user"],
            ["a, b", " 0", "0", "", ""],
        ],
    )

    first, second = read_rows([file])

    assert (first.text, first.labels, first.lang, first.role) == (
        "two\nlines",
        {"pii": True},
        "fr",
        "user",
    )
    assert (second.text, second.labels) == ("a, b", {"pii": False, "sexual": False})
    assert (second.lang, second.source, second.place) == ("und", "rows", f"{file}:4")


def test_blank_lines_of_csv_are_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"text,pii\n\nx,0\n\n")

    assert [row.place for row in read_rows([file])] == [f"{file}:3"]


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "b.jsonl", records()[:1])
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,pii\nx,0\n", mtime=0))
    (tmp_path / "notes.txt").write_text("no data")

    assert [row.source for row in read_rows([tmp_path])] == ["a", "harmful"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ": holds no rows"),
        (b"\n\n", ": holds no rows"),
        (b'{"text": "x", "labels": {}}\n{"text": ', ":2: Invalid JSON"),
        (b"[]", ":1: "),
        (b'{"labels": {}}', ":1: text: Field required"),
        (b'{"text": "x"}', ":1: labels: Field required"),
        (b'{"text": 1, "labels": {}}', ":1: text: "),
        (b'{"text": "x", "labels": {"rude": 1}}', ":1: labels.rude: is no category; these are sex"),
        (b'{"text": "x", "labels": {"pii": 2}}', ":1: labels.pii: Input should be 0 or 1"),
        (b'{"text": "x", "labels": {}, "role": "system"}', ":1: role: "),
        (b'{"text": "x", "labels": {}, "context": [{"role": "me", "text": ""}]}', ":1: context.0"),
        (SECRET.encode() + b"\xff", ":1: is not UTF-8 (byte 26 of the line)"),
    ],
)
def test_what_is_no_row_is_named_by_file_and_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    assert refused(tmp_path / "rows.jsonl", content).startswith(says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ": holds no rows"),
        (b"text,pii\n", ": holds no rows"),
        (b"words,pii\nx,1\n", ":1: the header has no column `text`"),
        (b"text,self_harm\nx,1\n", ":1: column 'self_harm' is neither"),
        (b"text,lang\nx,en\n", ":1: the header names no category; these are sexual"),
        (b"text,pii,rude\nx,1,1\n", ":1: column 'rude' is neither `text` nor a category"),
        (b"text,pii,pii\nx,1,1\n", ":1: a column stands twice"),
        (b"text,pii\nx\n", ":2: has 1 cells, the header has 2"),
        (b"text,pii\nx,0\nx,2\n", ":3: pii: must be 0, 1, or empty for unknown"),
        (b"text,pii,role\nx,0,tool\n", ":2: role: "),
        (b'text,pii\n"x"y,0\n', ":2: is no CSV"),
        ("text,pii\nx,0\né,0".encode("latin-1"), ":3: is not UTF-8"),
    ],
)
def test_what_is_no_csv_is_named_by_file_and_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    assert refused(tmp_path / "rows.csv", content).startswith(says)


def test_a_line_has_a_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MOST_LINE_BYTES", 40)

    assert ":2: is longer than 40 bytes" in refused(
        tmp_path / "rows.jsonl", b'{"text": "", "labels": {}}\n' + b" " * 41
    )


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(b"x" * 999, mtime=0)[:20]])
def test_gzip_that_is_none_or_cut_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path / "rows.jsonl.gz", content) in (
        ": is no whole gzip file",
        ":1: Invalid JSON: expected value at line 1 column 1",
    )


def test_files_that_are_missing_or_of_no_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_rows([tmp_path / "none.jsonl"])
    with pytest.raises(DataError, match=r"holds no \.jsonl"):
        data_files([tmp_path])
    (tmp_path / "rows.txt").touch()
    with pytest.raises(DataError, match=r"is none of \.jsonl"):
        data_files([tmp_path / "rows.txt"])


def test_a_file_that_stands_twice_would_count_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_jsonl(tmp_path / "rows.jsonl", records())
    other = write_jsonl(tmp_path / "others.jsonl", records())
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "link.jsonl").symlink_to(file)

    assert data_files([file, other]) == [file, other]
    for paths in (
        [file, file],
        [tmp_path, file],
        [file, Path("rows.jsonl")],
        [tmp_path, Path("sub")],
    ):
        with pytest.raises(DataError, match=r"\.jsonl: is given twice, first as .*rows\.jsonl"):
            data_files(paths)


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    for name in ("x.jsonl", "x.csv", "x.jsonl.gz"):
        file = tmp_path_factory.getbasetemp() / name
        file.write_bytes(content)
        with pytest.raises(DataError):
            read_rows([file])


LABELLED = st.dictionaries(st.sampled_from(LABELS), st.integers(0, 1), min_size=1)


@given(st.text(), LABELLED)
def test_a_row_that_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, text: str, labels: dict[str, int]
) -> None:
    file = tmp_path_factory.getbasetemp() / "row.jsonl"
    file.write_text(json.dumps({"text": text, "labels": labels}), encoding="utf-8")

    (row,) = read_rows([file])

    assert row.text == text
    assert row.labels == labels


def test_a_path_that_is_not_there_is_not_judged_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothere: No such file or directory"):
        read_rows([tmp_path / "nothere"])
