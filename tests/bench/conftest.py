"""An upstream of this machine, and a load that is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardproxy.bench import upstream
from guardproxy.bench.processes import Server, free_port, running
from tests.bench.costless import NO_LOAD


@pytest.fixture
def no_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "no-load"
    folder.mkdir()
    (folder / "wrk").write_text(NO_LOAD)
    (folder / "wrk").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.fixture(scope="session")
def api() -> Iterator[Server]:
    port = free_port()
    with running("upstream", upstream.command(port), port, ready="/") as server:
        yield server
