"""The example that describes a foreign model writes a manifest that can be used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from guardproxy.classifiers.check import check_models
from guardproxy.classifiers.manifest import verify_model_folder
from tests.classifiers.foreign import injection, toxicity

DESCRIBE = Path(__file__).parents[2] / "examples" / "foreign-model" / "describe.py"


def describe(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DESCRIBE), str(folder), *more],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_softmax_model_is_described(tmp_path: Path) -> None:
    folder = injection(tmp_path / "Guard")
    config = {"id2label": {"1": "INJECTION", "0": "SAFE"}, "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config))

    ended = describe(folder, "--category", "INJECTION=jailbreaking", "--threshold", "0.9")

    assert ended.returncode == 0, ended.stderr
    assert "guardproxy model check" in ended.stdout
    verified = verify_model_folder(folder)
    assert verified.manifest.name == "guard"
    assert verified.manifest.exclusive
    assert verified.manifest.default_thresholds == {"jailbreaking": 0.9}
    (checked,) = check_models(verified, runs=1)
    assert not checked.warnings


def test_a_model_of_many_labels_is_described(tmp_path: Path) -> None:
    folder = toxicity(tmp_path / "toxicity")
    labels = {"0": "toxic", "1": "insult", "2": "threat"}
    config = {"id2label": labels, "problem_type": "multi_label_classification"}
    (folder / "config.json").write_text(json.dumps(config))

    ended = describe(
        folder,
        "--category", "toxic=hate_and_discrimination",
        "--category", "threat=violence_and_threats,criminal",
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    manifest = verify_model_folder(folder).manifest
    assert not manifest.exclusive
    assert manifest.label_places == ((0,), (2,), (2,))
    assert manifest.inputs.types is None


@pytest.mark.parametrize(
    ("given", "languages"), [((), ["en"]), (("--language", "de", "--language", "fr"), ["de", "fr"])]
)
def test_languages_are_those_that_are_given(
    tmp_path: Path, given: tuple[str, ...], languages: list[str]
) -> None:
    folder = injection(tmp_path / "a")
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "SAFE", "1": "INJECTION"}}))

    ended = describe(folder, "--category", "INJECTION=jailbreaking", *given)

    assert ended.returncode == 0, ended.stderr
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text(encoding="utf-8"))
    assert manifest["languages"] == languages


def test_a_category_without_a_label_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = injection(tmp_path / "a")
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "SAFE", "1": "INJECTION"}}))

    ended = describe(folder, "--category", "jailbreaking")

    assert ended.returncode == 2
    assert ended.stderr.endswith("give LABEL=CATEGORY, not 'jailbreaking'\n")


@pytest.mark.parametrize("label", ["EVIL"])
def test_a_label_the_model_does_not_have_is_refused(tmp_path: Path, label: str) -> None:
    folder = injection(tmp_path / "a")
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "SAFE", "1": "INJECTION"}}))

    ended = describe(folder, "--category", f"{label}=jailbreaking")

    assert ended.returncode == 1
    assert ended.stderr == "no label EVIL; the model has SAFE, INJECTION\n"
