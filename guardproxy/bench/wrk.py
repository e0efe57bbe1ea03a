"""Load by wrk (https://github.com/wg/wrk): in C, so that the client is not the bottleneck."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guardproxy.bench.words import WORDS_FILE
from guardproxy.errors import ConfigurationError

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_MARK: Final = "guardproxy-bench "
_TIMEOUT_SECONDS: Final = 60
"""An answer that takes longer is an error. wrk's own 2 s would hide what a slow gateway does."""
_FIELDS: Final = (
    "requests", "microseconds", "connect", "read", "write", "status", "timeout",
    "p50", "p90", "p99", "longest",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, how often at once, how long.

    Attributes:
        connections: open at once; each sends its next request when it has its answer.
        seconds: whole ones, as wrk wants.
        words: length of the prompt.
        seed: 0 sends one prompt over and over; any other makes every prompt new.
    """

    connections: int
    seconds: int
    words: int
    seed: int


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What wrk saw. Latencies are seconds.

    `requests` have been answered in full, `errors` of them with a status of 400 or above; `broken`
    were not: no connection, one that ended early, or no answer in time.
    """

    requests: int
    seconds: float
    errors: int
    broken: int
    p50: float
    p90: float
    p99: float
    longest: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.requests - self.errors) / self.seconds if self.seconds else 0.0


def find_wrk() -> str:
    """The program.

    Raises:
        ConfigurationError: it is not installed.
    """
    if (found := shutil.which("wrk")) is None:
        raise ConfigurationError(
            "wrk is not installed: it makes the load (Debian, Ubuntu: apt install wrk; "
            "macOS: brew install wrk; else https://github.com/wg/wrk)"
        )
    return found


def run_wrk(load: Load, url: str, model: str, headers: Mapping[str, str]) -> LoadResult:
    """Sends the load and waits for its end.

    A target that nobody can connect to any more has broken every connection.

    Raises:
        ConfigurationError: wrk is not installed.
    """
    command = [
        find_wrk(), "--threads", "1", "--connections", str(load.connections),
        "--duration", f"{load.seconds}s", "--timeout", f"{_TIMEOUT_SECONDS}s",
        "--script", str(_SCRIPT),
    ]  # fmt: skip
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    command += [url, "--", str(WORDS_FILE), str(load.words), str(load.seed), model]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse(finished.stdout) or LoadResult(
        0, load.seconds, 0, load.connections, p50=0, p90=0, p99=0, longest=0
    )


def parse(said: str) -> LoadResult | None:
    """The figures in what wrk printed; None if there are none, or no usable ones."""
    for line in said.splitlines():
        if line.startswith(_MARK):
            return _result(line.removeprefix(_MARK))
    return None


def _result(text: str) -> LoadResult | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not all(type(found.get(name)) is int for name in _FIELDS):
        return None
    return LoadResult(
        requests=found["requests"],
        seconds=found["microseconds"] / 1e6,
        errors=found["status"],
        broken=found["connect"] + found["read"] + found["write"] + found["timeout"],
        p50=found["p50"] / 1e6,
        p90=found["p90"] / 1e6,
        p99=found["p99"] / 1e6,
        longest=found["longest"] / 1e6,
    )
