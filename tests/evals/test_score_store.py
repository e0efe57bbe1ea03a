"""Scores come back as they were kept, and only to the judge that made them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import ModelFolder, verify_model_folder
from guardproxy.content import Passage
from guardproxy.errors import ConfigurationError
from guardproxy.evals.score_store import NoStore, ScoreStore, identity, key


def test_scores_come_back_in_another_run(tmp_path: Path) -> None:
    rows = {bytes([n // 256, n % 256]): np.array([n / 7, np.nan]) for n in range(1200)}
    with ScoreStore(tmp_path / "scores.db") as store:
        store.keep(rows)

    with ScoreStore(tmp_path / "scores.db") as store:
        found = store.find([*rows, b"unknown"])

    assert found.keys() == rows.keys()
    assert all(np.array_equal(found[name], rows[name], equal_nan=True) for name in rows)


def test_no_text_is_kept(tmp_path: Path) -> None:
    secret = "a text that nobody may see"
    with ScoreStore(tmp_path / "scores.db") as store:
        store.keep({key(b"judge", Passage(secret)): np.zeros(11)})

    assert secret.encode() not in (tmp_path / "scores.db").read_bytes()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, not scores " * 50)

    with pytest.raises(ConfigurationError, match=r"notes\.txt: cannot keep scores"):
        ScoreStore(tmp_path / "notes.txt")
    with pytest.raises(ConfigurationError, match="cannot keep scores"):
        ScoreStore(tmp_path / "missing" / "scores.db")


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "scores.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE scores (game TEXT, points INTEGER)")

    with (
        ScoreStore(file) as store,
        pytest.raises(ConfigurationError, match=r"scores\.db: cannot keep scores: no such column"),
    ):
        store.find([b"key"])


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with ScoreStore(tmp_path / "scores.db") as store:
        store._database.execute("DROP TABLE scores")
        with pytest.raises(ConfigurationError, match="cannot keep scores"):
            store.keep({b"a": np.zeros(1)})


def test_no_store_remembers_nothing() -> None:
    store = NoStore()
    store.keep({b"a": np.zeros(1)})

    assert store.find([b"a"]) == {}


def test_keys_differ_by_judge_text_and_context() -> None:
    passages = [Passage("a"), Passage("b"), Passage("a", "b"), Passage("", "ab"), Passage("\ud800")]

    assert len({key(judge, each) for judge in (b"1", b"2") for each in passages}) == 10


def test_another_manifest_or_switch_is_another_judge(tmp_path: Path) -> None:
    folder = verify_model_folder(EMBEDDED_FOLDER)
    shutil.copy(folder.path / "manifest.yaml", tmp_path)
    copied = ModelFolder(tmp_path, folder.manifest)
    same = identity(copied, bare=False)
    with (tmp_path / "manifest.yaml").open("a") as manifest:
        manifest.write("# changed\n")

    assert same == identity(folder, bare=False)
    assert len({same, identity(copied, bare=False), identity(folder, bare=True)}) == 3
