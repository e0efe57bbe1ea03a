"""A model folder's `manifest.yaml`, read strictly, and its files held against their sha256.

A model is swapped by giving another folder: everything the code must know about it stands here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from guardproxy.errors import ModelError
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES

MANIFEST_FILE: Final = "manifest.yaml"
MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"

_MANIFEST_BYTES: Final = 256 * 1024
"""A manifest is a page of text; more is something else."""

_CHUNK_BYTES: Final = 1024 * 1024

Probability = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Inputs(_Strict):
    """Names of the graph's inputs, int64 [texts, tokens]; `mask` only if the graph has one."""

    ids: str = Field(min_length=1)
    mask: str | None = None


class WindowShape(_Strict):
    """How long texts are cut. `tokens` counts everything of one run, special tokens too."""

    tokens: int = Field(default=256, ge=16)
    overlap: int = Field(default=64, ge=0)

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> WindowShape:
        if self.overlap * 2 > self.tokens:
            raise ValueError("overlap must be at most half of tokens")
        return self


class ContextFormat(_Strict):
    """How a model trained on conversations gets the turns before a text.

    `template` holds `{context}` before `{text}`, each once. The newest `max_tokens` tokens of the
    context are kept.
    """

    template: str
    max_tokens: int = Field(ge=1)

    @field_validator("template")
    @classmethod
    def _has_both_places_once(cls, template: str) -> str:
        before, _, after = template.partition("{context}")
        if template.count("{context}") != 1 or template.count("{text}") != 1 or "{text}" in before:
            raise ValueError("must hold {context} once and after it {text} once")
        return before + "{context}" + after

    @property
    def parts(self) -> tuple[str, str, str]:
        """What stands before the context, between context and text, and after the text."""
        before, _, rest = self.template.partition("{context}")
        between, _, after = rest.partition("{text}")
        return before, between, after


class Training(BaseModel):
    """What the model learnt from. `sources` are named as in the data; the rest is for a reader."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    sources: list[str] = Field(default_factory=list)


class Manifest(_Strict):
    """What a model folder says about itself.

    `output` names a float32 output [texts, categories] of calibrated probabilities, in the order
    of `categories`. `prefix` stands before every text. `base_encoder`, `average_precision`,
    `training` and `notes` inform a reader and steer nothing; `guardproxy eval` reports
    `training.sources` apart.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    inputs: Inputs
    output: str = Field(min_length=1)
    prefix: str = ""
    max_tokens: int = Field(ge=16)
    window: WindowShape = WindowShape()
    context: ContextFormat | None = None
    categories: list[str]
    default_thresholds: dict[str, Probability]
    languages: list[str] = Field(min_length=1)
    base_encoder: str | None = None
    average_precision: dict[str, list[float]] | None = None
    training: str | Training | None = None
    notes: str | None = None

    @field_validator("files")
    @classmethod
    def _files_stay_inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
                raise ValueError(f"{name!r} is not a plain path inside the folder")
        if missing := [name for name in (MODEL_FILE, TOKENIZER_FILE) if name not in files]:
            raise ValueError(f"{missing[0]} is not listed")
        return files

    @field_validator("categories")
    @classmethod
    def _categories_are_ours(cls, categories: list[str]) -> list[str]:
        if len(set(categories)) != len(categories):
            raise ValueError("a category stands twice")
        if strange := set(categories) ^ set(V2_CATEGORIES):
            raise ValueError(f"must be exactly the v2 categories; look at {min(strange)}")
        return categories

    @field_validator("default_thresholds")
    @classmethod
    def _thresholds_are_whole(cls, thresholds: dict[str, float]) -> dict[str, float]:
        if missing := set(V2_CATEGORIES) - set(thresholds):
            raise ValueError(f"{min(missing)} is missing")
        if strange := set(thresholds) - set(V2_CATEGORIES) - set(V1_CATEGORIES):
            raise ValueError(f"{min(strange)} is no category")
        return thresholds

    @model_validator(mode="after")
    def _windows_fit_the_model(self) -> Manifest:
        if self.window.tokens > self.max_tokens:
            raise ValueError("window.tokens is more than max_tokens")
        if self.context is not None and self.context.max_tokens * 2 > self.window.tokens:
            raise ValueError("context.max_tokens must be at most half of window.tokens")
        return self

    @property
    def checksum(self) -> str:
        """sha256 of the graph, hexadecimal: what people compare."""
        return self.files[MODEL_FILE]

    @property
    def thresholds(self) -> Mapping[str, float]:
        return MappingProxyType(self.default_thresholds)

    @property
    def trained_on(self) -> frozenset[str]:
        """Names of the sources it learnt from; empty if it does not say."""
        return frozenset(self.training.sources if isinstance(self.training, Training) else ())


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder whose files are what its manifest says."""

    path: Path
    manifest: Manifest

    @property
    def graph(self) -> Path:
        return self.path / MODEL_FILE

    @property
    def tokenizer(self) -> Path:
        return self.path / TOKENIZER_FILE


def verify_model_folder(path: Path) -> ModelFolder:
    """Reads the manifest and checks every listed file against its sha256. Takes about 50 ms.

    Raises:
        ModelError: the folder, its manifest or a file is missing, unreadable or changed.
    """
    manifest = read_manifest(path / MANIFEST_FILE)
    for name, expected in manifest.files.items():
        if _sha256(path, name) != expected:
            raise ModelError(
                f"{path / name}: sha256 is not the one in {MANIFEST_FILE}; the file is damaged or "
                "changed: install the model again, or correct the manifest if you changed it"
            )
    return ModelFolder(path, manifest)


def read_manifest(file: Path) -> Manifest:
    """Reads and checks a manifest, without its files.

    Raises:
        ModelError: missing, no YAML, a key unknown, double or missing, a value of a wrong type.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}; is this a model folder?") from error
    if len(text) > _MANIFEST_BYTES:
        raise ModelError(f"{file}: longer than {_MANIFEST_BYTES} bytes")
    try:
        return Manifest.model_validate(yaml.load(text, Loader=_UniqueKeyLoader))  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ModelError(f"{file}: {_one_line(error)}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{file}: {key + ': ' if key else ''}{first['msg']}") from error


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML without tags and without keys that stand twice, which PyYAML would let pass."""

    # The signature is PyYAML's; values are wanted at once, whatever it says.
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = True) -> dict[Hashable, Any]:  # noqa: ARG002, FBT001, FBT002 - see above
        mapping = super().construct_mapping(node, deep=True)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands twice", node.start_mark
            )
        return mapping


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "not YAML"
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


def _sha256(folder: Path, name: str) -> str:
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{file}: leads out of the model folder")
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}; listed in {MANIFEST_FILE}") from error
    return digest.hexdigest()
