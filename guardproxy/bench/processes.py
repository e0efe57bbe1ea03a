"""Servers as processes of their own: started, waited for, counted, ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guardproxy.errors import ConfigurationError

HOST: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.01
_GRACE_SECONDS: Final = 5
_SESSION_FIELD: Final = 3
"""Of `/proc/PID/stat`, counted after the name in brackets: state, parent, group, session."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, with all processes it has started.

    Attributes:
        session: the first process' id, which is also that of the session they are all in.
        url: where it listens, without a path.
        ready_seconds: from its start to its first good answer.
    """

    name: str
    session: int
    url: str
    ready_seconds: float

    def cpu_seconds(self) -> float:
        """What its processes have used so far, user and system, all threads; to the nanosecond."""
        return sum(_cpu_clock(pid) for pid in _members(self.session))

    def rss_bytes(self) -> int:
        """What of its processes is in memory; pages shared among them count in each."""
        return sum(rss_of(pid) for pid in _members(self.session))


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    port: int,
    *,
    ready: str,
    environment: Mapping[str, str] | None = None,
    patience: float = 240.0,
) -> Iterator[Server]:
    """Starts a server; ends it, and whatever it has started, with the block.

    Args:
        name: what it is called in error messages.
        command: the program and its arguments.
        port: where it will listen.
        ready: the path that answers below 400 when it can work.
        environment: all it gets; this process' own, without guardproxy's settings, if None.
        patience: seconds until it is given up.

    Raises:
        ConfigurationError: it cannot be started, ended early, or did not get ready.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        begun = time.perf_counter()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=plain_environment() if environment is None else environment,
                start_new_session=True,  # whoever it starts is found by the session
            )
        except OSError as error:
            raise ConfigurationError(f"{name}: cannot start {command[0]}: {error}") from error
        try:
            until = begun + patience
            while not answers(port, ready):
                if process.poll() is not None or time.perf_counter() > until:
                    raise ConfigurationError(_failure(name, process.poll(), said.fileno()))
                time.sleep(_POLL_SECONDS)
            yield Server(name, process.pid, f"http://{HOST}:{port}", time.perf_counter() - begun)
        finally:
            _end(process)


def plain_environment() -> dict[str, str]:
    """The environment without guardproxy's own variables, which would change what is measured."""
    return {name: each for name, each in os.environ.items() if not name.startswith("GUARDPROXY_")}


def answers(port: int, path: str) -> bool:
    """Whether a GET there is answered, and not as an error."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status < http.client.BAD_REQUEST
        except (OSError, http.client.HTTPException):
            return False


def _failure(name: str, exit_code: int | None, said: int) -> str:
    text = os.pread(said, 1 << 20, 0).decode(errors="replace")
    last = (text.strip().splitlines() or ["nothing"])[-1]
    state = "is not ready in time" if exit_code is None else f"ended with {exit_code}"
    return f"{name} {state}; its last line: {last}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    for pid in _members(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _members(session: int) -> list[int]:
    """Ids of all processes of a session."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _session_of(entry) == session
    ]


def _session_of(entry: Path) -> int | None:
    try:
        after_name = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None  # it has just ended
    return int(after_name[_SESSION_FIELD])


def _cpu_clock(pid: int) -> float:
    # Linux makes the id of a process' clock so (MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED), and
    # /proc counts in steps of 10 ms, as long as several requests take.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0  # it has just ended


def rss_of(pid: int) -> int:
    """What of a process is in memory, in bytes; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0  # it has just ended
