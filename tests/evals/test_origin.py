from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import pytest

from guardproxy.evals import origin
from guardproxy.evals.data import read_rows
from guardproxy.evals.origin import data_files_of, machine, shown_path, versions
from tests.evals.samples import records, write_jsonl


def test_files_are_named_without_the_folders_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    file = write_jsonl(tmp_path / "dev" / "rows.jsonl", records())
    empty = write_jsonl(tmp_path / "dev" / "more.jsonl", records()[:1])

    first, second = data_files_of(read_rows([file, empty])[:3], [file, empty])

    assert (first.name, first.rows) == ("dev/rows.jsonl", 3)
    assert first.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert second.rows == 0
    assert shown_path(Path("/rows.csv")) == "rows.csv"


def test_the_machine_and_what_runs_on_it_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cores" in machine()
    assert {"python", "guardproxy", "onnxruntime"} <= versions().keys()

    monkeypatch.setattr(origin, "_CPU_INFO", Path("/nonexistent"))
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine().startswith("unknown processor, ")
