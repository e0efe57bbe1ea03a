"""A model folder is used as it says it is, or refused with one line."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import (
    MANIFEST_FILE,
    ContextFormat,
    ModelFolder,
    read_manifest,
    verify_model_folder,
)
from guardproxy.errors import ModelError
from guardproxy.policy.taxonomy import V2_CATEGORIES


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The embedded manifest beside files that are small."""
    folder = tmp_path / "model"
    folder.mkdir()
    digests = {}
    for name in ("model.onnx", "tokenizer.json"):
        (folder / name).write_bytes(bytes(range(256)) * 16)
        digests[name] = hashlib.sha256(bytes(range(256)) * 16).hexdigest()
    shutil.copy(EMBEDDED_FOLDER / MANIFEST_FILE, folder)
    change(folder, lambda content: content.__setitem__("files", digests))
    return folder


def change(folder: Path, edit: Callable[[dict[str, object]], object]) -> Path:
    """Edits the manifest of a folder."""
    file = folder / MANIFEST_FILE
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    edit(content)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def refused(folder: Path, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        verify_model_folder(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_the_embedded_folder_is_what_it_says(folder: ModelFolder) -> None:
    manifest = folder.manifest

    assert folder.graph.name == "model.onnx"
    assert folder.tokenizer.name == "tokenizer.json"
    assert set(manifest.thresholds) >= set(V2_CATEGORIES)
    assert re.fullmatch("[0-9a-f]{64}", manifest.checksum)
    assert (manifest.window.tokens, manifest.window.overlap) == (128, 32)
    # A short text and what was said before it share one window, with three special tokens.
    context = manifest.context
    assert context is not None
    assert context.max_text_tokens == 128 - 3 - context.max_tokens == 61


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("surprise", 1, "surprise: unknown key"),
        ("max_tokens", "512", "max_tokens: must be a whole number"),
        ("max_tokens", True, "max_tokens: must be a whole number"),
        ("name", "No Spaces", "name: must match pattern"),
        ("output", None, "output: must be text"),
        ("inputs", {"mask": "attention_mask"}, "inputs.ids: is missing"),
        ("categories", ["sexual", "sexual"], "categories: .*stands twice"),
        ("categories", ["sexual"], "categories: .*v2 categories; look at criminal"),
        ("default_thresholds", {"pii": 0.5}, "default_thresholds: .*criminal is missing"),
        ("files", {"model.onnx": "0" * 64}, "files: .*tokenizer.json is not listed"),
        ("files", {"model.onnx": "short"}, "files.model.onnx: must match"),
        ("window", {"tokens": 1024}, "window.tokens is more than max_tokens"),
        ("window", {"tokens": 64, "overlap": 33}, "window: .*at most half"),
        ("context", {"template": "{text}", "max_tokens": 8}, "context.template: .*context.*once"),
        ("context", {"template": "{text}{context}", "max_tokens": 8}, "context.template"),
        ("context", {"template": "{context} {text}", "max_tokens": 200}, "half of window.tokens"),
    ],
)
def test_a_wrong_key_or_value_is_named(copy: Path, key: str, value: object, says: str) -> None:
    change(copy, lambda content: content.__setitem__(key, value))

    refused(copy, says)


@pytest.mark.parametrize("category", ["nonsense", "probs"])
def test_a_threshold_for_no_category_is_refused(copy: Path, category: str) -> None:
    thresholds = dict.fromkeys((*V2_CATEGORIES, category), 0.5)
    change(copy, lambda content: content.__setitem__("default_thresholds", thresholds))

    refused(copy, f"{category} is no category")


def test_the_union_of_v1_may_have_its_threshold(copy: Path) -> None:
    thresholds = dict.fromkeys((*V2_CATEGORIES, "dangerous_and_criminal_content"), 0.5)
    change(copy, lambda content: content.__setitem__("default_thresholds", thresholds))

    manifest = verify_model_folder(copy).manifest

    assert manifest.thresholds["dangerous_and_criminal_content"] == 0.5


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), "0.5"])
def test_a_threshold_is_a_probability(copy: Path, threshold: object) -> None:
    thresholds = {**dict.fromkeys(V2_CATEGORIES, 0.5), "pii": threshold}
    change(copy, lambda content: content.__setitem__("default_thresholds", thresholds))

    refused(copy, "default_thresholds.pii")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../b", "a\\b", "./model.onnx"])
def test_a_listed_file_stays_inside_the_folder(copy: Path, name: str) -> None:
    def edit(content: dict[str, object]) -> None:
        files = content["files"]
        assert isinstance(files, dict)
        files[name] = "0" * 64

    change(copy, edit)

    refused(copy, "not a plain path inside")


def test_a_link_out_of_the_folder_is_refused(copy: Path) -> None:
    outside = copy.parent / "outside.onnx"
    (copy / "model.onnx").rename(outside)
    (copy / "model.onnx").symlink_to(outside)

    refused(copy, "leads out of the model folder")


def test_one_flipped_byte_is_noticed_x5(copy: Path) -> None:
    with (copy / "model.onnx").open("r+b") as file:
        file.seek(4_000)
        byte = file.read(1)
        file.seek(4_000)
        file.write(bytes([byte[0] ^ 1]))

    refused(copy, "model.onnx: sha256 is not the one in manifest.yaml")


def test_a_truncated_file_is_noticed_x5(copy: Path) -> None:
    with (copy / "tokenizer.json").open("r+b") as file:
        file.truncate(1000)

    refused(copy, r"tokenizer\.json: sha256")


def test_a_missing_file_is_named_x5(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()

    refused(copy, r"tokenizer\.json: No such file")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "No such file or directory; is this a model folder")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b\n", "line 1: a key stands twice"),
        ("name: [a\n", "line 2: expected ',' or ']'"),
        ("name: \x00", "not YAML|unacceptable|special characters"),
        ("version: 2026-02-30\n", "not what it looks like to YAML: day is out of range"),
        ("max_tokens: !!int many\n", "not what it looks like to YAML"),
        (f"max_tokens: {'9' * 5_000}\n", "not what it looks like to YAML"),
        ('name: "\\UFFFFFFFF"\n', "not what it looks like to YAML"),
        ("training: " + "[" * 2_000, "is nested too deeply"),
        ("!!python/object:os.system {}", "could not determine a constructor"),
        ("- a list\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("x: " + "a" * 300_000, "longer than 262144 bytes"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / MANIFEST_FILE).write_text(text, encoding="utf-8")

    refused(tmp_path, says)


def test_information_for_readers_is_optional(copy: Path) -> None:
    def edit(content: dict[str, object]) -> None:
        for key in ("base_encoder", "average_precision", "training"):
            del content[key]

    assert read_manifest(change(copy, edit)).training is None


def test_a_context_format_comes_apart_at_its_places() -> None:
    form = ContextFormat(template="before {context}\n{text} after", max_tokens=8)

    assert form.parts == ("before ", "\n", " after")
