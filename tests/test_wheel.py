"""What `pip install guardproxy` brings: all that a guarded answer needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LARGEST = 60_000_000
"""Bytes of the wheel. The model is nearly all of it."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (found,) = target.glob("guardproxy-*.whl")
    return found


def test_the_wheel_holds_the_package_the_model_and_the_policies(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "guardproxy").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    policies = {f"guardproxy/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}

    assert {
        "guardproxy/py.typed",
        "guardproxy/model/manifest.yaml",
        "guardproxy/model/model.onnx",
        "guardproxy/model/tokenizer.json",
    } <= names
    assert sources | policies <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].split("-")[0] for name in names} == {"guardproxy"}
    assert not [name for name in names if "test" in name.split("/")[-1].split("_")]


def test_the_wheel_is_small_enough_to_ship(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST


def test_the_wheel_carries_its_licence_and_its_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
        (scripts,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]

        assert b"Apache License" in archive.read(licence)
        assert b"guardproxy = guardproxy.cli:main" in archive.read(scripts)
