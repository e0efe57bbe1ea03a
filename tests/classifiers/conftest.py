"""The real model, loaded once; a copy of its folder for tests that change files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import ModelFolder, verify_model_folder
from guardproxy.classifiers.onnx import OnnxModel


@pytest.fixture(scope="session")
def folder() -> ModelFolder:
    return verify_model_folder(EMBEDDED_FOLDER)


@pytest.fixture(scope="session")
def model(folder: ModelFolder) -> OnnxModel:
    return OnnxModel(folder)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A model folder whose files a test may change."""
    shutil.copytree(EMBEDDED_FOLDER, tmp_path / "model")
    return tmp_path / "model"
