"""The hand-written training rows keep the schema that `training/authored/README.md` states."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from guardproxy.policy.taxonomy import V2_CATEGORIES

FOLDER = Path(__file__).parents[2] / "training" / "authored"
FILES = sorted(FOLDER.glob("*.jsonl"))
LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh")
ROLES = {"user", "assistant", "tool", "none"}
CONTEXT_ROLES = {"system", "user", "assistant", "tool"}
UNION = "dangerous_or_criminal"
LABELS = {*V2_CATEGORIES, UNION, "benign"}
REQUIRED = {"text", "lang", "labels", "role", "source", "id"}
OPTIONAL = {"group", "context"}
MAX_CHARS = 4_000

CONTRASTED = {
    "hate_and_discrimination": 15,
    "violence_and_threats": 8,
    "selfharm": 6,
    "sexual": 4,
    "dangerous": 3,
    "criminal": 4,
}
"""Category -> the fewest positives, a language; half as many rows stand beside them in a group."""

Row = dict[str, Any]


@cache
def rows_of(file: Path) -> tuple[Row, ...]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


def every_row() -> list[Row]:
    return [row for file in FILES for row in rows_of(file)]


def contrast(lang: str) -> tuple[Row, ...]:
    return rows_of(FOLDER / f"contrast_{lang}.jsonl")


def normal(text: str) -> str:
    """Letters and digits only, case-folded: what counts as the same text."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def test_every_file_is_named_for_its_kind_and_language() -> None:
    names = {file.stem for file in FILES}

    assert {f"contrast_{lang}" for lang in LANGUAGES} <= names
    assert {name.rpartition("_")[2] for name in names} == set(LANGUAGES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rows_have_the_stated_keys_and_values(file: Path) -> None:
    kind, _, lang = file.stem.rpartition("_")
    for row in rows_of(file):
        assert REQUIRED <= row.keys() <= REQUIRED | OPTIONAL, row["id"]
        assert row["lang"] == lang, row["id"]
        assert row["source"] == f"authored_{kind}", row["id"]
        assert row["id"].startswith(f"{kind}-"), row["id"]
        assert row["role"] in ROLES, row["id"]
        assert 0 < len(row["text"].strip()) <= MAX_CHARS, row["id"]
        assert normal(row["text"]), row["id"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_labels_agree_with_one_another(file: Path) -> None:
    for row in rows_of(file):
        labels = row["labels"]
        positive = {name for name in V2_CATEGORIES if labels.get(name) == 1}
        assert labels, row["id"]
        assert labels.keys() <= LABELS, row["id"]
        assert all(type(value) is int and value in (0, 1) for value in labels.values()), row["id"]
        if UNION in labels:
            assert labels[UNION] == bool(positive & {"dangerous", "criminal"}), row["id"]
        if positive:
            assert labels.get("benign", 0) == 0, row["id"]
        if labels.get("benign") == 1:
            assert all(labels.get(name) == 0 for name in V2_CATEGORIES), row["id"]


def test_earlier_messages_have_a_role_and_a_text() -> None:
    messages = [message for row in every_row() for message in row.get("context", ())]

    assert all(message.keys() == {"role", "text"} for message in messages)
    assert all(message["role"] in CONTEXT_ROLES for message in messages)
    assert all(message["text"].strip() for message in messages)


def test_ids_are_unique_over_all_files() -> None:
    counts = Counter(row["id"] for row in every_row())

    assert [name for name, count in counts.items() if count > 1] == []


def test_no_text_stands_twice_in_the_same_context() -> None:
    seen: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in every_row():
        before = [normal(message["text"]) for message in row.get("context", ())]
        seen[(*before, normal(row["text"]))].append(row["id"])

    assert [ids for ids in seen.values() if len(ids) > 1] == []


def test_a_group_has_several_rows_of_one_file() -> None:
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in every_row():
        if "group" in row:
            groups[row["group"]].append((row["source"], row["lang"]))

    assert [name for name, members in groups.items() if len(members) < 2] == []
    assert [name for name, members in groups.items() if len(set(members)) > 1] == []


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("category", "least"), CONTRASTED.items())
def test_every_category_has_positives_beside_their_look_alikes(
    lang: str, category: str, least: int
) -> None:
    rows = contrast(lang)
    positives = [row for row in rows if row["labels"].get(category) == 1]
    groups = {row["group"] for row in positives if "group" in row}
    beside = [row for row in rows if row.get("group") in groups and row not in positives]

    assert len(positives) >= least
    assert len(beside) >= least // 2
    assert all(row["labels"].get(category) == 0 for row in beside)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_harmless_rows_outnumber_any_one_category(lang: str) -> None:
    rows = contrast(lang)
    harmless = sum(row["labels"].get("benign") == 1 for row in rows)

    assert len(rows) >= 120
    assert harmless >= len(rows) // 3


@pytest.mark.parametrize("lang", LANGUAGES)
def test_posts_requests_and_answers_are_all_there(lang: str) -> None:
    roles = Counter(row["role"] for row in contrast(lang))

    assert roles.keys() == ROLES - {"tool"}
    assert roles["user"] >= 30
    assert roles["none"] >= 30
    assert roles["assistant"] >= 3
