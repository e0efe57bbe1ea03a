"""Writes the manifest of a sequence classifier that was exported to ONNX.

    python describe.py FOLDER --category INJECTION=jailbreaking

FOLDER holds `model.onnx`, `tokenizer.json` and `config.json`, as Hugging Face's Optimum leaves
them. Each --category says what a label of the model stands for; labels that are not named stand for
no category. Where `config.json` does not say whether labels exclude each other (softmax), it is
taken that they do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import onnxruntime
import yaml

FILES = ("model.onnx", "tokenizer.json")
ROLES = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "types"}
LONGEST_WINDOW = 256


def main() -> None:
    given = arguments()
    config = json.loads((given.folder / "config.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(given.folder / "model.onnx")
    labels = [name for _, name in sorted(config["id2label"].items(), key=lambda item: int(item[0]))]
    named = dict(given.category)
    if strange := named.keys() - set(labels):
        sys.exit(f"no label {min(strange)}; the model has {', '.join(labels)}")
    longest = min(512, config.get("max_position_embeddings", 512))
    manifest = {
        "name": given.name or given.folder.name.lower(),
        "version": given.version,
        "files": {name: sha256(given.folder / name) for name in FILES},
        "inputs": {ROLES[node.name]: node.name for node in session.get_inputs()},
        "output": session.get_outputs()[0].name,
        "logits": True,
        "exclusive": config.get("problem_type") != "multi_label_classification",
        "labels": [
            {"name": name, "categories": named[name].split(",") if name in named else []}
            for name in labels
        ],
        "default_thresholds": dict.fromkeys(
            (each for names in named.values() for each in names.split(",")), given.threshold
        ),
        "max_tokens": longest,
        "window": {"tokens": min(LONGEST_WINDOW, longest), "overlap": min(64, longest // 4)},
        "languages": given.language or ["en"],
    }
    file = given.folder / "manifest.yaml"
    file.write_text(yaml.safe_dump(manifest, sort_keys=False), encoding="utf-8")
    print(f"{file} is written; now: guardproxy model check {given.folder}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Writes the manifest of an exported classifier.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--category", type=pair, action="append", required=True, metavar="LABEL=CATEGORY,..."
    )
    parser.add_argument("--threshold", type=float, default=0.5, help="of each category")
    parser.add_argument("--language", action="append", help="en, if not given")
    parser.add_argument("--name", help="the folder's, if not given")
    parser.add_argument("--version", default="1")
    return parser.parse_args()


def pair(text: str) -> tuple[str, str]:
    label, stands_for, categories = text.partition("=")
    if not stands_for:
        raise argparse.ArgumentTypeError(f"give LABEL=CATEGORY, not {text!r}")
    return label, categories


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
