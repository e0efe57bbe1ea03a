"""A tiny sequence classifier as others export them: words in, one logit for each label out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("[UNK]", "[CLS]", "[SEP]", "ignore", "instructions", "kill", "flowers")
FILES = ("model.onnx", "tokenizer.json")


def write_tokenizer(file: Path) -> None:
    """Words at spaces, framed like BERT's."""
    tokenizer = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.add_special_tokens(["[UNK]", "[CLS]", "[SEP]"])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(file))


def write_graph(file: Path, weights: Sequence[Mapping[str, float]], *, types: bool = True) -> None:
    """A graph that adds up, for each label, the weights of the words that are there."""
    table = np.array([[each.get(word, 0.0) for each in weights] for word in WORDS], np.float32)
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["words", "column"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "middle"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "words",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", len(weights)])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([-1]), "last"),
            numpy_helper.from_array(np.array([1]), "middle"),
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file
    )


def write_manifest(folder: Path, **more: object) -> Path:
    """The manifest of what stands in the folder."""
    content: dict[str, Any] = {
        "name": "words",
        "version": "1",
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES},
        "inputs": {"ids": "input_ids", "mask": "attention_mask", "types": "token_type_ids"},
        "output": "logits",
        "logits": True,
        "max_tokens": 64,
        "window": {"tokens": 64, "overlap": 16},
        "languages": ["en"],
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(content | more))
    return folder


def injection(folder: Path, *, weight: float = 4.0, **more: object) -> Path:
    """A softmax over SAFE and INJECTION, as prompt-injection models have it."""
    folder.mkdir(parents=True)
    write_tokenizer(folder / "tokenizer.json")
    write_graph(
        folder / "model.onnx",
        [{"flowers": 2.0}, {"ignore": weight, "instructions": weight, "kill": -1}],
    )
    labels = [{"name": "SAFE"}, {"name": "INJECTION", "categories": ["jailbreaking"]}]
    given = {"exclusive": True, "labels": labels, "default_thresholds": {"jailbreaking": 0.9}}
    return write_manifest(folder, **given | more)


def toxicity(folder: Path, **more: object) -> Path:
    """A sigmoid for each of three labels, as toxicity models have it; two mean one category."""
    folder.mkdir(parents=True)
    write_tokenizer(folder / "tokenizer.json")
    write_graph(folder / "model.onnx", [{"kill": 1.0}, {"kill": 3.0}, {"kill": 2.0}], types=False)
    return write_manifest(
        folder,
        name="toxicity",
        inputs={"ids": "input_ids", "mask": "attention_mask"},
        labels=[
            {"name": "toxic", "categories": ["hate_and_discrimination"]},
            {"name": "insult", "categories": ["hate_and_discrimination"]},
            {"name": "threat", "categories": ["violence_and_threats", "criminal"]},
        ],
        default_thresholds={
            "hate_and_discrimination": 0.6,
            "violence_and_threats": 0.7,
            "criminal": 0.8,
        },
        **more,
    )


def combination(folder: Path, members: Sequence[Mapping[str, Any]], **more: object) -> Path:
    """A folder that names others."""
    folder.mkdir(parents=True)
    content = {"name": "together", "version": "2", "members": [dict(each) for each in members]}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(content | more))
    return folder
