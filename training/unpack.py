"""From a packed model back to weights that fine-tuning can go on from.

Who has a model folder and no checkpoint starts where its training ended. What int8 rounded stays
rounded (a few per cent of a weight), so a run from a checkpoint is better where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import yaml
from onnx import numpy_helper
from safetensors.numpy import load_file, save_file

from guardproxy.classifiers.manifest import MANIFEST_FILE
from guardproxy.classifiers.manifest_form import MODEL_FILE
from training.activations import HEAD
from training.arrays import Floats
from training.encoder import WEIGHTS_FILE, WIDTH, layer_count
from training.heads import Head

START_FILE: Final = "start.safetensors"
START_HEAD: Final = "start-head.npz"
"""Its head, calibrated as it was packed: `head --also` averages a new one with it."""

START_FACTS: Final = "start.json"
"""What the model was that a run starts from: its version, minutes, sources."""

_NORMS: Final = ("aln.weight", "aln.bias", "oln.weight", "oln.bias")


def unpack(model: Path, work: Path, *, share: float) -> None:
    """Writes the weights of a model folder into a work folder, and what they were made of.

    Raises:
        ValueError: it is not a folder that `pack` wrote, or not of the encoder in the work folder.
    """
    facts = facts_of(model)
    graph = model / MODEL_FILE
    save_file(unpacked(graph, work / WEIGHTS_FILE, share), work / START_FILE)
    np.savez(work / START_HEAD, **asdict(_head(graph)))
    (work / START_FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def facts_of(model: Path) -> dict[str, Any]:
    """Name, version, minutes of training and sources of a folder that `pack` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        manifest = yaml.safe_load((model / MANIFEST_FILE).read_text(encoding="utf-8"))
        facts = {key: manifest[key] for key in ("name", "version")}
        return facts | {key: manifest["training"][key] for key in ("minutes", "sources")}
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"{model / MANIFEST_FILE}: does not say how it was made") from error


def unpacked(graph: Path, pretrained: Path, share: float) -> dict[str, Floats]:
    """The tensors of the fine-tuned encoder that was averaged with the pretrained one.

    Args:
        graph: `model.onnx` as `pack` writes it.
        pretrained: the encoder it was fine-tuned from.
        share: of the way to the fine-tuned weights, as `average` was told.

    Raises:
        ValueError: the graph is not one of ours, or not of this encoder.
    """
    constants = _constants(graph)
    before: dict[str, Floats] = load_file(pretrained)
    try:
        found = _averaged(constants, before)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{graph}: not a graph that `pack` wrote ({error})") from error
    return before | {
        name: ((value - (1 - share) * before[name]) / share).astype(np.float32)
        if name in before
        else value
        for name, value in found.items()
    }


def _constants(graph: Path) -> dict[str, Any]:
    return {each.name: numpy_helper.to_array(each) for each in onnx.load(graph).graph.initializer}


def _head(graph: Path) -> Head:
    constants = _constants(graph)
    if f"{HEAD}.scale" not in constants:
        raise ValueError(f"{graph}: its head is not of 8 bits; a version before 1.8.0 packed it")
    names = (f"{HEAD}.bias", "head.out", "head.out_bias")
    return Head(
        np.ascontiguousarray(_matrix(constants, HEAD), dtype=np.float32),
        *(constants[name] for name in names),
    )


def _averaged(constants: Mapping[str, Any], before: Mapping[str, Floats]) -> dict[str, Floats]:
    """What the graph multiplies with: everything above the layers that were left alone."""
    found = {"queries": np.ascontiguousarray(constants["queries"].T)}
    for layer in range(layer_count(before)):
        if not _left_alone(constants, before, layer):
            found |= _layer(constants, before, layer)
    return found


def _left_alone(constants: Mapping[str, Any], before: Mapping[str, Floats], layer: int) -> bool:
    """Norms are not rounded: those of a layer that was not trained are the pretrained ones."""
    return all(
        np.array_equal(constants[f"layers.{layer}.{name}"], before[f"layers.{layer}.{name}"])
        for name in _NORMS
    )


def _layer(
    constants: Mapping[str, Any], before: Mapping[str, Floats], layer: int
) -> dict[str, Floats]:
    query, key, value = np.split(_matrix(constants, f"{layer}.qkv"), 3)
    query_bias, key_bias, value_bias = np.split(constants[f"{layer}.qkv.bias"], 3)
    out = _matrix(constants, f"{layer}.ao")
    given, taken = (before[f"layers.{layer}.{name}.weight"] for name in ("v", "ao"))
    # Values are divided by what the matrix after them is multiplied by (`graph`), and the factors
    # are kept nowhere: they are how much larger the pretrained ones are. A factor that is a little
    # off changes nothing, as one undoes the other.
    factors = np.sqrt(_sizes(given, 1) / _sizes(value, 1) * _sizes(out, 0) / _sizes(taken, 0))
    tensors = {
        "q.weight": query,
        "q.bias": query_bias,
        "k.weight": key,
        "k.bias": key_bias,
        "v.weight": value * factors[:, None],
        "v.bias": value_bias * factors,
        "ao.weight": out / factors[None],
        "ao.bias": constants[f"{layer}.ao.bias"],
        "fi.weight": _matrix(constants, f"{layer}.fi"),
        "fi.bias": constants[f"{layer}.fi.bias"],
        "fo.weight": _matrix(constants, f"{layer}.fo"),
        "fo.bias": constants[f"{layer}.fo.bias"],
        **{name: constants[f"layers.{layer}.{name}"] for name in _NORMS},
    }
    return {
        f"layers.{layer}.{name}": np.ascontiguousarray(tensor, dtype=np.float32)
        for name, tensor in tensors.items()
    }


def _matrix(constants: Mapping[str, Any], name: str) -> Floats:
    """[outputs, inputs] of int8 [inputs, outputs], a scale per output, a smoothing per input."""
    turned: Floats = constants[name].astype(np.float32) * constants[f"{name}.scale"]
    if (smooth := constants.get(f"{name}.smooth")) is not None:
        turned = turned * smooth[:, None]
    return turned.T


def _sizes(matrix: Floats, axis: int) -> Floats:
    """How large a matrix is along an axis, for each of its WIDTH channels of values."""
    sizes: Floats = np.linalg.norm(matrix, axis=axis)
    if len(sizes) != WIDTH:
        raise ValueError(f"{len(sizes)} channels, not {WIDTH}")
    return sizes
