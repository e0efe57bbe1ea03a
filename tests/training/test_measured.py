"""What is measured on: well formed, in pairs that differ, and in no training row."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from guardproxy.evals.data import read_rows
from guardproxy.policy.taxonomy import V2_CATEGORIES

TRAINING = Path(__file__).parents[2] / "training"
FILES = sorted((TRAINING / "measured").glob("conversations_*.jsonl"))
DOCUMENTS = TRAINING / "measured" / "documents.jsonl"
SCENES = TRAINING / "measured" / "scenes.jsonl"
AFTER_HARM = TRAINING / "measured" / "after_harm.jsonl"
LANGUAGES = {"ar", "de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh"}
KINDS = {"pair", "alone_harmful", "alone_harmless", "clean_last", "plain"}


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def is_harmful(row: dict[str, Any]) -> bool:
    return any(row["labels"].get(name) for name in V2_CATEGORIES)


def normal(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def test_every_language_has_its_file() -> None:
    assert {file.stem.removeprefix("conversations_") for file in FILES} == LANGUAGES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rows_are_read_as_eval_reads_them(file: Path) -> None:
    rows = lines_of(file)

    assert len(read_rows([file])) == len(rows) >= 28
    assert {row["kind"] for row in rows} == KINDS
    assert all(row["source"] == f"measured_{row['kind']}" for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["context"], row["id"]
        assert row["labels"]["benign"] == (not is_harmful(row)), row["id"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_pairs_share_their_last_message_and_differ_in_what_is_right(file: Path) -> None:
    pairs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lines_of(file):
        if row["kind"] == "pair":
            pairs[row["pair"]].append(row)

    assert len(pairs) >= 7
    for name, (one, other) in pairs.items():
        assert one["text"] == other["text"], name
        assert is_harmful(one) != is_harmful(other), name
        assert one["context"] != other["context"], name


def test_documents_are_long_and_harmless() -> None:
    rows = lines_of(DOCUMENTS)

    assert len(read_rows([DOCUMENTS])) == len(rows) >= 40
    assert {row["lang"] for row in rows} == LANGUAGES
    assert {(row["source"], row["kind"]) for row in rows} == {("measured_document", "document")}
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["labels"]["benign"] == 1, row["id"]
        assert not is_harmful(row), row["id"]
        assert len(row["text"]) > 300, row["id"]


def test_scenes_are_of_all_languages_and_of_both_kinds() -> None:
    rows = lines_of(SCENES)

    assert len(read_rows([SCENES])) == len(rows)
    assert {(row["source"], row["kind"]) for row in rows} == {("measured_scene", "scene")}
    assert len({row["id"] for row in rows}) == len(rows)
    for lang in LANGUAGES:
        harmful = [is_harmful(row) for row in rows if row["lang"] == lang]
        assert 4 <= sum(harmful) <= len(harmful) - 4, lang


def test_what_is_said_after_harm_is_of_all_languages_and_of_both_kinds() -> None:
    rows = lines_of(AFTER_HARM)

    assert len(read_rows([AFTER_HARM])) == len(rows)
    assert {(row["source"], row["kind"]) for row in rows} == {("measured_after_harm", "after_harm")}
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["context"] for row in rows)
    for lang in LANGUAGES:
        harmful = [is_harmful(row) for row in rows if row["lang"] == lang]
        assert 3 <= sum(harmful) <= len(harmful) - 8, lang


def test_nothing_measured_is_trained_on() -> None:
    trained = {
        normal(row["text"])
        for file in (TRAINING / "authored").glob("*.jsonl")
        for row in lines_of(file)
        if row.get("context") or row["source"] in ("authored_documents", "authored_scenes")
    }

    for file in (*FILES, DOCUMENTS, SCENES, AFTER_HARM):
        same = [row["id"] for row in lines_of(file) if normal(row["text"]) in trained]
        assert same == []
