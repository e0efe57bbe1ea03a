"""The stages between a fine-tuned encoder and a model folder, each reading what the last wrote."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from safetensors.numpy import load_file, save_file

from training.activations import Range, ranges
from training.arrays import Floats, Labels
from training.augment import CHANGES, Pools
from training.averaging import averaged
from training.calibration import (
    Calibration,
    averaged_thresholds,
    calibrate,
    expected_error,
    partial_thresholds,
    reliability,
)
from training.config import CATEGORIES, RunConfig
from training.features import GraphRunner, highest_per_text
from training.framing import Framer
from training.graph import Form, build
from training.heads import Examples, Head, HeadConfig, fit
from training.measure import macro, table
from training.network import Encoder
from training.prepare import RELABELLED_SOURCE
from training.rows import Row
from training.sampling import weights

AVERAGED: Final = "averaged.safetensors"
RANGES: Final = "ranges.safetensors"
ENCODER_GRAPH: Final = "encoder.onnx"
HEAD: Final = "head.npz"
HEAD_FACTS: Final = "head.json"
CALIBRATION: Final = "calibration.npz"
CALIBRATION_FACTS: Final = "calibration.json"
THRESHOLDS: Final = "thresholds.json"

HEAD_SOURCE_WEIGHTS: Final = {
    "authored": 0.35,
    "authored_contrast": 0.6,
    "authored_context": 1.0,
    "authored_documents": 1.0,
    "authored_probes": 1.0,
    "authored_scenes": 1.0,
    "authored_replies": 1.0,
    "relabelled": 0.35,
}
"""Less than in fine-tuning: a head sees every row that was written, and known sources need room."""

OURS: Final = ("authored_", RELABELLED_SOURCE)
"""Sources whose texts or labels were written for this project."""

_RANGE_TEXTS: Final = 300
_MOST_WINDOWS: Final = 6
"""Of a text."""
_CHANGED_SHARE: Final = 0.25
_CHANGES_FOR_HEADS: Final = (
    *("needle", "needle", "filler", "prefix", "repeat", "switch", "wrap", "noise", "case"),
    *("context", "context", "join", "join"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run keeps its files, and how its texts are cut."""

    work: Path
    tokenizer: Path
    config: RunConfig

    def framer(self) -> Framer:
        return Framer(self.tokenizer, self.config.window, self.config.window // 4)


def quantise(
    place: Place, rows: Sequence[Row], *, pretrained: Path, tuned: Sequence[Path], share: float
) -> None:
    """Averages the weights, watches some texts go through, writes the int8 graph of the encoder."""
    tensors = averaged(pretrained, tuned, share)
    save_file(tensors, place.work / AVERAGED)
    encoder = Encoder.load(
        place.work / AVERAGED,
        attention_pools=len(tensors["queries"]),
    ).eval()
    chance = random.Random(place.config.seed)
    some = chance.sample(list(rows), min(_RANGE_TEXTS, len(rows)))
    found = ranges(encoder, [windows[0] for windows in place.framer().windows(some)])
    save_file(
        {name: np.stack([each.least, each.greatest]) for name, each in found.items()},
        place.work / RANGES,
    )
    onnx.save(build(tensors, Form(found), None), place.work / ENCODER_GRAPH)


def read_form(place: Place) -> Form:
    """The int8 form that `quantise` found."""
    stored = load_file(place.work / RANGES)
    found = {name: Range(least, greatest) for name, (least, greatest) in stored.items()}
    return Form(found)


@dataclass(frozen=True, slots=True)
class Features:
    """Pooled features of the windows of texts, and how many windows each text has."""

    pooled: Floats
    counts: Sequence[int]

    def logits(self, head: Head) -> Floats:
        """[texts, categories]: the highest over a text's windows."""
        return highest_per_text(head.logits(self.pooled), self.counts)


def joined(one: Features, other: Features) -> Features:
    """Texts of both, in order."""
    return Features(np.concatenate([one.pooled, other.pooled]), [*one.counts, *other.counts])


def features(place: Place, rows: Sequence[Row], name: str, *, to_learn: bool = False) -> Features:
    """Features of rows, kept in a file so that a stage that is run again has them at once.

    They are those of the same windows through the same graph: others are made anew. `to_learn`
    from them, only windows that show what the labels say: the first, and all of a harmless text.
    """
    file = place.work / f"features-{name}.npz"
    cut = [
        windows[: 1 if to_learn and row.benign != 1 else _MOST_WINDOWS]
        for row, windows in zip(rows, place.framer().windows(rows), strict=True)
    ]
    graph = place.work / ENCODER_GRAPH
    origin = hashlib.sha256(graph.read_bytes() + json.dumps(cut).encode()).hexdigest()
    if not (file.exists() and _origin(file) == origin):
        flat = [window for windows in cut for window in windows]
        pooled = GraphRunner(graph).many(flat, f"features of {name}")
        np.savez(file, pooled=pooled.astype(np.float16), origin=origin)
    with np.load(file) as stored:
        # From the file every time, so that the same is fitted on what was just made.
        return Features(stored["pooled"].astype(np.float32), [len(windows) for windows in cut])


def _origin(file: Path) -> str:
    with np.load(file) as stored:
        return str(stored["origin"]) if "origin" in stored else ""


def head_rows(place: Place, rows: Sequence[Row], count: int) -> list[Row]:
    """All rows that are ours, others drawn by weight, and changes of some of them."""
    config = place.config
    shares = weights(rows, config)
    written = [i for i, row in enumerate(rows) if row.source.startswith(OURS)]
    others = np.setdiff1d(np.arange(len(rows)), written)
    drawn = np.random.default_rng(config.seed).choice(
        others,
        size=min(count, len(others)),
        replace=False,
        p=shares[others] / shares[others].sum(),
    )
    kept = [rows[i] for i in [*written, *drawn.tolist()]]
    chance = random.Random(config.seed)
    pools = Pools.of(rows)
    changed = [
        CHANGES[chance.choice(_CHANGES_FOR_HEADS)](row, pools, chance)
        for row in chance.sample(kept, int(_CHANGED_SHARE * len(kept)))
    ]
    return kept + changed


def examples(place: Place, rows: Sequence[Row], pooled: Features) -> Examples:
    """Each window of each row; rows written for this project weigh less than before."""
    shares = weights(rows, replace(place.config, source_weights=HEAD_SOURCE_WEIGHTS))
    return Examples(
        pooled.pooled,
        labels_of(rows).repeat(pooled.counts, axis=0),
        shares.repeat(pooled.counts),
        [row.source for row, count in zip(rows, pooled.counts, strict=True) for _ in range(count)],
    )


def cut_short(rows: Sequence[Row], share: float) -> list[Row]:
    """The beginning of each text, as a stream has shown it after that share."""
    return [replace(row, text=row.text[: max(1, round(len(row.text) * share))]) for row in rows]


def labels_of(rows: Sequence[Row]) -> Labels:
    """[rows, LABELS]."""
    return np.array([row.labels for row in rows], np.int8)


def fit_head(
    place: Place,
    train: Examples,
    config: HeadConfig,
    measured: Mapping[str, tuple[Features, Sequence[Row]]],
    also: Sequence[Head] = (),
) -> Head:
    """Fits the head, averages it with others of the same features; writes it.

    Beside it, its settings and its average precision on what is measured.
    """
    head = Head.mean_of([fit(train, config), *also])
    np.savez(place.work / HEAD, **asdict(head))
    facts: dict[str, Any] = {
        "config": asdict(config), "rows": len(train.labels), "heads": 1 + len(also)
    }  # fmt: skip
    for name, (pooled, rows) in measured.items():
        found = table(pooled.logits(head), labels_of(rows))
        facts[name] = {**found, "macro": macro(found)}
    _write_json(place.work / HEAD_FACTS, facts)
    return head


def read_head(place: Place) -> Head:
    """What `fit_head` wrote."""
    return head_in(place.work / HEAD)


def head_in(file: Path) -> Head:
    """What `fit_head` or `unpack` wrote."""
    with np.load(file) as stored:
        return Head(**{name: stored[name] for name in stored.files})


def calibrate_head(place: Place, head: Head, pooled: Features, rows: Sequence[Row]) -> Head:
    """The head with calibrated logits; writes how reliable they are."""
    logits, labels = pooled.logits(head), labels_of(rows)
    found = calibrate(logits, labels)
    np.savez(place.work / CALIBRATION, slopes=found.slopes, offsets=found.offsets)
    bins = reliability(found.probabilities(logits), labels)
    _write_json(
        place.work / CALIBRATION_FACTS, {"expected_error": expected_error(bins), "bins": bins}
    )
    return head.calibrated(found.slopes, found.offsets)


def read_calibrated(place: Place) -> Head:
    """The head as it goes into the model."""
    with np.load(place.work / CALIBRATION) as stored:
        found = Calibration(stored["slopes"], stored["offsets"])
    return read_head(place).calibrated(found.slopes, found.offsets)


def choose_thresholds(
    place: Place,
    benign: Floats,
    *,
    each: float,
    together: float,
    blocking: Sequence[str],
    harmful: Mapping[str, Floats],
    prefixes: Sequence[Floats] = (),
) -> dict[str, float]:
    """Chooses and writes the default thresholds, from scores of harmless texts.

    Those of unfinished text come from `prefixes`, scores of the same texts cut short.
    """
    found = averaged_thresholds(
        benign, each=each, together=together, blocking=blocking, harmful=harmful
    )
    limits = np.array([found[name] for name in CATEGORIES])
    reached = (benign >= limits).mean(axis=0)
    facts = {
        "thresholds": found,
        "partial": partial_thresholds(prefixes, benign, found, blocking=blocking)
        if prefixes
        else {},
        "texts": len(benign),
        "reached": dict(zip(CATEGORIES, np.round(reached, 4).tolist(), strict=True)),
        "together": float(
            (benign >= limits)[:, [CATEGORIES.index(b) for b in blocking]].any(1).mean()
        ),
    }
    _write_json(place.work / THRESHOLDS, facts)
    return found


def tensors_of(place: Place) -> dict[str, Floats]:
    """The averaged encoder."""
    return load_file(place.work / AVERAGED)


def _write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
