"""On what a run was made: the machine, the cores it may use, the programs' versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from guardproxy.errors import ConfigurationError

CORES: Final = 2
"""What load, gateway and upstream share, however many the machine has."""
_LIBRARIES: Final = ("guardproxy", "onnxruntime", "uvicorn", "httptools", "starlette")
_VERSION: Final = re.compile(r"\d+\.\d+[\w.+-]*")


def pin() -> list[int]:
    """Keeps this process, and all it starts from now on, on the same few cores; gives which.

    Raises:
        ConfigurationError: this is not Linux.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigurationError("the bench needs Linux: it reads /proc and pins processes")
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    return cores


def describe(cores: list[int]) -> dict[str, str]:
    """The machine, in words for a table."""
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": _processor(),
        "cores": f"{', '.join(map(str, cores))} of {os.cpu_count()}, shared by all",
        "memory": f"{gib:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Ticks of all cores since the system began: at work, and wanted but given to other guests."""

    worked: int
    stolen: int

    @classmethod
    def now(cls) -> CpuTime:
        """As the kernel counts it (proc_stat(5)); a guest's own guests are in `user` and `nice`."""
        total = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, total.split()[1:9])
        return cls(user + nice + system + irq + softirq, stolen)

    def kept_back(self, later: CpuTime) -> float:
        """Share of the time that was wanted since then, but not given by the host."""
        worked, stolen = later.worked - self.worked, later.stolen - self.stolen
        return stolen / max(1, worked + stolen)


def versions() -> dict[str, str]:
    """Of this interpreter, and of the libraries that do the work."""
    return {"Python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}


def version_said_by(*command: str) -> str:
    """The first version number a program prints; a question mark if it prints none."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    found = _VERSION.search(said.stdout + said.stderr)
    return found[0] if found else "?"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
