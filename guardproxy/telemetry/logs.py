"""The log of a process: JSON lines to standard error, written by a thread that may be late.

A line never waits for whoever reads the log: when the reader stalls and the queue is full, lines
are dropped and counted. What a line may hold is `records`' business.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from guardproxy.settings import LogFormat, LogLevel
from guardproxy.telemetry.records import Plain, fields_of, is_wanted

QUEUED_LINES = 8_192
"""About 4 MiB of lines: seconds of full traffic while a reader stalls."""
CLOSING_SECONDS = 2.0
"""How long the last lines may take at the end of the process."""

Write = Callable[[bytes], object]

_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def to_stderr(line: bytes) -> None:
    """Write it all, past Python's buffer: its lock, held by a stalled thread, aborts the exit."""
    while line:
        line = line[os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line) :]


class LineWriter:
    """A bounded queue of lines and the thread that writes them."""

    def __init__(self, write: Write, *, capacity: int = QUEUED_LINES) -> None:
        self._write = write
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._capacity = capacity
        self._thread = threading.Thread(target=self._run, name="guardproxy-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> bool:
        """Whether there was room."""
        if self._lines.qsize() >= self._capacity:
            return False
        self._lines.put(line)
        return True

    def close(self, timeout: float = CLOSING_SECONDS) -> None:
        """Write what waits, for so many seconds at most."""
        self._lines.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        for line in iter(self._lines.get, None):
            try:
                self._write(f"{line}\n".encode("ascii", "backslashreplace"))
            except OSError:
                # The reader is gone. There is nobody left to tell, and requests must go on.
                continue


class LineHandler(logging.Handler):
    """Records -> lines; never waits, never raises, counts what it drops."""

    def __init__(self, writer: LineWriter, form: LogFormat) -> None:
        super().__init__()
        self.setFormatter(_JsonFormatter() if form is LogFormat.JSON else _TextFormatter())
        self.addFilter(is_wanted)
        self.on_drop: Callable[[], None] = _count_nothing
        self._writer = writer
        self._unreported = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a line that cannot be made must not end a request
            self._drop()
            return
        if not self._writer.put(line):
            self._drop()
        elif self._unreported:
            self._report()

    def _drop(self) -> None:
        self._unreported += 1
        self.on_drop()

    def _report(self) -> None:
        lost, self._unreported = self._unreported, 0
        report = logging.makeLogRecord(
            {
                "name": "guardproxy.log",
                "levelname": "WARNING",
                "msg": "lines dropped",
                "lines": lost,
            }
        )
        self._writer.put(self.format(report))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _to_json(fields_of(record))


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = fields_of(record)
        head = [str(fields.pop(key)) for key in ("time", "level", "logger", "message")]
        return " ".join(
            [*head, *(f"{k}={_shown(v)}" for k, v in fields.items() if v not in (None, "", []))]
        )


def _shown(value: Plain) -> str:
    if isinstance(value, str) and " " not in value:
        return value
    return json.dumps(value, ensure_ascii=False)


def install(level: LogLevel, form: LogFormat, *, write: Write = to_stderr) -> Callable[[], None]:
    """From now on all logging of this process goes through one handler; returns how to end that.

    uvicorn must not configure its own loggers then: `log_config=None, access_log=False`.
    """
    writer = LineWriter(write)
    root = logging.getLogger()
    before = (root.handlers[:], root.level, threading.excepthook, sys.unraisablehook)
    root.handlers[:] = [LineHandler(writer, form)]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    # Python's own hooks print the message of the exception, which may quote what it failed on.
    threading.excepthook = _log_thread_error
    sys.unraisablehook = _log_unraisable

    def uninstall() -> None:
        logging.captureWarnings(capture=False)
        root.handlers[:], level_before, threading.excepthook, sys.unraisablehook = before
        root.setLevel(level_before)
        writer.close()

    return uninstall


@contextmanager
def installed(level: LogLevel, form: LogFormat, *, write: Write = to_stderr) -> Iterator[None]:
    """`install` for the time of a block."""
    uninstall = install(level, form, write=write)
    try:
        yield
    finally:
        uninstall()


def report_drops_to(on_drop: Callable[[], None]) -> None:
    """Call this for every line that is dropped from now on, from whichever thread logs it."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LineHandler):
            handler.on_drop = on_drop


def _count_nothing() -> None:
    """Until somebody counts: the line `lines dropped` says how many were."""


def _log_thread_error(args: threading.ExceptHookArgs) -> None:
    _log.error("a thread ended by an error", exc_info=args.exc_value)


def _log_unraisable(args: sys.UnraisableHookArgs) -> None:
    _log.error("an error nobody could take", exc_info=args.exc_value)


_log = logging.getLogger("guardproxy.process")
