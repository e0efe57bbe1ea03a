"""A folder that passes can judge; one that cannot is told why."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from guardproxy.classifiers.check import PROBES, check_models
from guardproxy.classifiers.manifest import ModelFolder, verify_model_folder
from guardproxy.classifiers.onnx import OnnxModel, OnnxRun, Row
from guardproxy.content import Passage
from guardproxy.errors import ModelError
from tests.classifiers.foreign import combination, injection, toxicity


def test_the_embedded_model_passes(folder: ModelFolder) -> None:
    ticks = count()

    (checked,) = check_models(folder, runs=1, clock=lambda: next(ticks) / 1000)

    assert checked.judges == set(folder.manifest.categories)
    assert [timing.tokens for timing in checked.timings][:2] == [32, 128]
    assert checked.timings[-1].tokens == folder.manifest.window.tokens
    assert all(timing.milliseconds == pytest.approx(1) for timing in checked.timings)
    assert checked.bytes > folder.graph.stat().st_size
    assert checked.warnings == ()


def test_every_member_of_a_combination_is_tried(tmp_path: Path) -> None:
    injection(tmp_path / "a")
    toxicity(tmp_path / "b")
    both = combination(tmp_path / "both", [{"model": "../a"}, {"model": "../b"}])

    first, second = check_models(verify_model_folder(both), runs=1)

    assert (first.folder.manifest.name, second.folder.manifest.name) == ("words", "toxicity")
    assert first.judges == {"jailbreaking"}
    assert [timing.tokens for timing in first.timings] == [32, 64]


def test_a_model_that_is_deaf_is_warned_about(tmp_path: Path) -> None:
    (checked,) = check_models(verify_model_folder(injection(tmp_path / "a", weight=0.0)), runs=1)

    assert checked.warnings == (
        "jailbreaking: the same score for every probe; is the label mapped right?",
    )


def test_a_softmax_that_is_not_said_to_be_one_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [
        {"name": "SAFE", "categories": ["law"]},
        {"name": "INJECTION", "categories": ["jailbreaking"]},
    ]
    thresholds = {"law": 0.5, "jailbreaking": 0.5}
    folder = injection(
        tmp_path / "a", labels=labels, default_thresholds=thresholds, exclusive=False
    )
    monkeypatch.setattr(
        OnnxRun, "__call__", lambda run: _pair(int(run._feeds["input_ids"].sum()) % 9 / 10)
    )

    (checked,) = check_models(verify_model_folder(folder), runs=1)

    assert checked.warnings == ("the scores of a text always make up 1: say `exclusive: true`",)


def _pair(part: float) -> Row:
    return (part, 1 - part)


def test_logits_that_are_not_said_to_be_some_are_refused(tmp_path: Path) -> None:
    folder = verify_model_folder(injection(tmp_path / "a", logits=False))

    with pytest.raises(ModelError, match=r"does not judge: .*no probability; are these logits"):
        check_models(folder, runs=1)


def test_a_model_that_changes_its_mind_is_refused(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    hundredths = count()
    monkeypatch.setattr(OnnxRun, "__call__", lambda run: (next(hundredths) / 100,) * 11)

    with pytest.raises(ModelError, match="other scores each time"):
        check_models(folder, runs=1)


def test_a_graph_with_other_inputs_is_refused(tmp_path: Path) -> None:
    folder = injection(tmp_path / "a", inputs={"ids": "input_ids", "mask": "attention_mask"})

    with pytest.raises(ModelError, match=r"inputs are .*token_type_ids.*; the manifest says other"):
        check_models(verify_model_folder(folder), runs=1)


def test_the_probes_hold_nothing_and_more_than_a_window(model: OnnxModel) -> None:
    assert "" in PROBES
    assert len(model.windows(Passage(PROBES[-1]))) > 1
