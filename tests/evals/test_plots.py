from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guardproxy.evals import plots
from guardproxy.evals.plots import can_plot, write_plots
from tests.evals.samples import CLEAN, row, scores_of, table_of

PNG = b"\x89PNG\r\n"


def test_a_picture_of_each_kind_is_written(tmp_path: Path) -> None:
    rows = [row(labels={"pii": 1, "benign": 0}), row(labels=CLEAN), row(labels=CLEAN)]
    table = table_of(rows, scores_of({"pii": 0.9}, {"pii": 1.0}, {}))

    files = write_plots(table, np.arange(3), tmp_path)

    assert [file.name for file in files] == [
        "precision-recall.png",
        "reliability.png",
        "scores.png",
    ]
    assert all(file.read_bytes().startswith(PNG) for file in files)


def test_nothing_to_draw_is_an_empty_picture(tmp_path: Path) -> None:
    files = write_plots(table_of([row()], scores_of({})), np.arange(1), tmp_path)

    assert all(file.read_bytes().startswith(PNG) for file in files)


def test_without_matplotlib_there_are_no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_plot()

    monkeypatch.setattr(plots, "find_spec", lambda name: None)

    assert not can_plot()
