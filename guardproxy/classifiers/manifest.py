"""A model folder's `manifest.yaml`, read strictly, and its files held against their sha256.

The folder of a combination names other folders; each of them is checked in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from guardproxy.classifiers.combination import combined_manifest, duties
from guardproxy.classifiers.manifest_form import (
    EMBEDDED,
    MODEL_FILE,
    TOKENIZER_FILE,
    Combination,
    ContextFormat,
    Manifest,
    WindowShape,
)
from guardproxy.errors import ModelError
from guardproxy.policy.problems import plain_message

__all__ = (
    "EMBEDDED_FOLDER",
    "MANIFEST_FILE",
    "ContextFormat",
    "Manifest",
    "ModelFolder",
    "WindowShape",
    "read_manifest",
    "verify_model_folder",
)

MANIFEST_FILE: Final = "manifest.yaml"
EMBEDDED_FOLDER: Final = Path(__file__).parents[1] / "model"
"""The model that comes with the package. Wheels are unpacked, so it is a folder of files."""

_MANIFEST_BYTES: Final = 256 * 1024
"""A manifest is a page of text; more is something else."""

_CHUNK_BYTES: Final = 1024 * 1024
_MEMBERS: Final = "members"
_Form = TypeVar("_Form", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder whose files are what its manifest says.

    The folder of a combination has `members`, each with the categories it judges; its `manifest`
    says what they are together, and its graph is nobody's.
    """

    path: Path
    manifest: Manifest
    members: tuple[tuple[ModelFolder, frozenset[str]], ...] = ()

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
    file = path / MANIFEST_FILE
    content = _read(file)
    if _is_combination(content):
        return _combined(path, _validated(Combination, content, file))
    return _single(path, _validated(Manifest, content, file))


def read_manifest(file: Path) -> Manifest:
    """Reads and checks the manifest of one model, without its files.

    Raises:
        ModelError: missing, no YAML, a key unknown, double or missing, a value of a wrong type.
    """
    return _validated(Manifest, _read(file), file)


def _single(path: Path, manifest: Manifest) -> ModelFolder:
    for name, expected in manifest.files.items():
        if _sha256(path, name) != expected:
            raise ModelError(
                f"{path / name}: sha256 is not the one in {MANIFEST_FILE}; the file is damaged or "
                "changed: install the model again, or correct the manifest if you changed it"
            )
    return ModelFolder(path, manifest)


def _combined(path: Path, combination: Combination) -> ModelFolder:
    folders = []
    for member in combination.members:
        place = EMBEDDED_FOLDER if member.model == EMBEDDED else path / member.model
        file = place / MANIFEST_FILE
        content = _read(file)
        # Before its members are looked at: it may be among them.
        if _is_combination(content):
            raise ModelError(f"{file}: is a combination itself; name its members")
        folders.append(_single(place, _validated(Manifest, content, file)))
    manifests = [folder.manifest for folder in folders]
    try:
        judged = duties(combination, manifests)
        together = combined_manifest(combination, manifests, judged)
    except ValueError as error:
        raise ModelError(f"{path / MANIFEST_FILE}: {error}") from None
    return ModelFolder(path, together, tuple(zip(folders, judged, strict=True)))


def _is_combination(content: object) -> bool:
    return isinstance(content, dict) and _MEMBERS in content


def _read(file: Path) -> object:
    try:
        with file.open("rb") as stream:
            text = stream.read(_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}; is this a model folder?") from error
    if len(text) > _MANIFEST_BYTES:
        raise ModelError(f"{file}: longer than {_MANIFEST_BYTES} bytes")
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ModelError(f"{file}: {_one_line(error)}") from error
    except RecursionError as error:
        raise ModelError(f"{file}: is nested too deeply") from error
    # What YAML takes for a date or a number the library hands on unseen: 2026-02-30.
    except (ValueError, OverflowError) as error:
        raise ModelError(f"{file}: a value is not what it looks like to YAML: {error}") from error


def _validated(form: type[_Form], content: object, file: Path) -> _Form:
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{file}: {key + ': ' if key else ''}{plain_message(first)}") from error


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
