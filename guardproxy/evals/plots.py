"""Pictures of a table: precision over recall, reliability, histograms of scores.

matplotlib is an extra of the package; nothing here is imported unless pictures are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from guardproxy.evals import metrics
from guardproxy.evals.metrics import Bools, Floats, Indexes
from guardproxy.evals.table import COLUMNS, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING: Final = 'no plots: they need matplotlib: pip install "guardproxy[eval]"'

_COLUMNS_OF_PANELS: Final = 4
_PANEL_INCHES: Final = 3.0
_HISTOGRAM_BINS: Final = 40


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def write_plots(table: Table, rows: Indexes, folder: Path) -> list[Path]:
    """Writes one picture of each kind, a panel for each category that has both labels.

    Args:
        table: labels and scores.
        rows: which rows of it are drawn.
        folder: exists.

    Returns:
        The files.
    """
    data = dict(_drawable(table, rows))
    files = []
    for name, draw in _DRAWN.items():
        file = folder / f"{name}.png"
        _write(file, data, draw)
        files.append(file)
    return files


def _drawable(table: Table, rows: Indexes) -> Iterable[tuple[str, tuple[Bools, Floats]]]:
    for index, column in enumerate(COLUMNS):
        known = rows[table.known(column)[rows]]
        positive = table.labels[known, index] == 1
        if positive.any() and not positive.all():
            yield column, (positive, table.scores[known, index])


def _write(
    file: Path,
    data: Mapping[str, tuple[Bools, Floats]],
    draw: Callable[[Axes, Bools, Floats], None],
) -> None:
    # The object interface: pyplot keeps figures in a global.
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, see the head

    lines = max(1, -(-len(data) // _COLUMNS_OF_PANELS))
    figure = Figure(
        figsize=(_COLUMNS_OF_PANELS * _PANEL_INCHES, lines * _PANEL_INCHES), layout="constrained"
    )
    panels = figure.subplots(lines, _COLUMNS_OF_PANELS, squeeze=False).ravel()
    for panel in panels[len(data) :]:
        panel.set_axis_off()
    for panel, (name, (positive, scores)) in zip(panels, data.items(), strict=False):
        panel.set_title(name, fontsize="small")
        draw(panel, positive, scores)
    figure.savefig(file, dpi=100)


def _precision_recall(axes: Axes, positive: Bools, scores: Floats) -> None:
    at = metrics.counts(metrics.rank(positive, scores))
    axes.step(at.recall, at.precision, where="pre")
    axes.axhline(float(positive.mean()), linestyle=":", color="grey")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))


def _reliability(axes: Axes, positive: Bools, scores: Floats) -> None:
    bins = metrics.reliability(positive, scores)
    filled = bins.rows > 0
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.plot(bins.score[filled], bins.positive[filled], marker="o", markersize=3)
    axes.set(xlabel="score", ylabel="share of positives", xlim=(0, 1), ylim=(0, 1))


def _histogram(axes: Axes, positive: Bools, scores: Floats) -> None:
    edges = np.linspace(0, 1, _HISTOGRAM_BINS + 1)
    axes.hist(scores[~positive], edges.tolist(), alpha=0.6, label="negative", log=True)
    axes.hist(scores[positive], edges.tolist(), alpha=0.6, label="positive", log=True)
    axes.set(xlabel="score", ylabel="rows", xlim=(0, 1))
    axes.legend(fontsize="x-small")


_DRAWN: Final[Mapping[str, Callable[[Axes, Bools, Floats], None]]] = MappingProxyType(
    {
        "precision-recall": _precision_recall,
        "reliability": _reliability,
        "scores": _histogram,
    }
)
"""Name of a picture -> what draws a panel of it."""
