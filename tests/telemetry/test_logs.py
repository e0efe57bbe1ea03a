from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable

import pytest

from guardproxy.settings import LogFormat, LogLevel
from guardproxy.telemetry.access_log import AccessLog
from guardproxy.telemetry.logs import LineHandler, LineWriter, installed, report_drops_to
from guardproxy.telemetry.observers import Observers
from tests.telemetry.samples import CANARY, KEY, exchange, judgement, result

log = logging.getLogger("guardproxy.test")


class Sink:
    """Takes lines; `gate` holds it back, `broken` makes it fail as a closed pipe does."""

    def __init__(self) -> None:
        self.written = b""
        self.gate = threading.Event()
        self.gate.set()
        self.taken = threading.Event()
        self.broken = False

    def __call__(self, line: bytes) -> None:
        self.taken.set()
        self.gate.wait()
        if self.broken:
            self.broken = False
            raise BrokenPipeError
        self.written += line

    @property
    def lines(self) -> list[str]:
        return self.written.decode("ascii").splitlines()

    @property
    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def sink() -> Sink:
    return Sink()


def test_all_loggers_of_the_process_write_json_lines(sink: Sink) -> None:
    with installed(LogLevel.INFO, LogFormat.JSON, write=sink):
        log.info("policy %s loaded", "default", extra={"categories": 11})
        log.debug("too fine")
        logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
        logging.getLogger("httpx").info("HTTP Request: %s", CANARY)

    first, second = sink.records
    assert (first["message"], first["categories"]) == ("policy default loaded", 11)
    assert (second["logger"], second["message"]) == ("uvicorn.error", "Started server process [7]")


def test_everything_is_put_back_in_the_end(sink: Sink) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, threading.excepthook, sys.unraisablehook)

    with installed(LogLevel.ERROR, LogFormat.JSON, write=sink):
        assert root.level == logging.ERROR

    assert (list(root.handlers), root.level, threading.excepthook, sys.unraisablehook) == before


def test_a_person_can_read_the_other_format(sink: Sink) -> None:
    extra = {"status": 403, "why": "two words", "categories": ("pii",), "empty": "", "n": None}
    with installed(LogLevel.INFO, LogFormat.TEXT, write=sink):
        log.info("request\n", extra=extra)

    (line,) = sink.lines
    assert line.split(" ", 1)[1] == (
        'info guardproxy.test request\\n status=403 why="two words" categories=["pii"]'
    )


def test_what_python_itself_would_print_becomes_a_line(sink: Sink) -> None:
    def fail() -> None:
        raise ValueError(CANARY)

    class Unraisable:
        def __del__(self) -> None:
            raise ValueError(CANARY)

    with installed(LogLevel.INFO, LogFormat.JSON, write=sink):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        Unraisable()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(CANARY, UserWarning, stacklevel=1)

    first, second, third = sink.records
    assert first["message"] == "a thread ended by an error"
    assert second["message"] == "an error nobody could take"
    assert first["error"] == second["error"] == "ValueError"
    assert third["logger"] == "py.warnings"
    assert b"canary" not in sink.written


def test_a_reader_that_stalls_costs_lines_and_they_are_counted_x26(sink: Sink) -> None:
    drops: list[int] = []
    writer = LineWriter(sink, capacity=2)
    handler = LineHandler(writer, LogFormat.JSON)
    handler.on_drop = lambda: drops.append(1)
    sink.gate.clear()
    handler.handle(logging.makeLogRecord({"name": "guardproxy", "msg": "taken"}))
    sink.taken.wait()
    for _ in range(5):
        handler.handle(logging.makeLogRecord({"name": "guardproxy", "msg": "waits or is lost"}))
    sink.gate.set()
    while len(sink.lines) < 3:
        threading.Event().wait(0.001)
    handler.handle(logging.makeLogRecord({"name": "guardproxy", "msg": "after"}))
    writer.close()

    assert len(drops) == 3
    assert [record["message"] for record in sink.records] == [
        "taken",
        "waits or is lost",
        "waits or is lost",
        "after",
        "lines dropped",
    ]
    assert sink.records[-1]["lines"] == 3


def test_closing_waits_for_a_stalled_reader_only_so_long(sink: Sink) -> None:
    sink.gate.clear()
    writer = LineWriter(sink, capacity=1)
    writer.put("taken")
    sink.taken.wait()
    writer.put("waits")

    writer.close(timeout=0.01)
    sink.gate.set()


def test_a_reader_that_is_gone_stops_nothing(sink: Sink) -> None:
    sink.broken = True
    with installed(LogLevel.INFO, LogFormat.JSON, write=sink):
        log.info("lost")
        log.info("written")

    assert [record["message"] for record in sink.records] == ["written"]


def test_a_line_that_cannot_be_made_is_counted_and_hurts_nobody(sink: Sink) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError(CANARY)

    drops: list[int] = []
    with installed(LogLevel.INFO, LogFormat.JSON, write=sink):
        log.info("%s", Unspeakable())
        report_drops_to(lambda: drops.append(1))
        log.info("%s", Unspeakable())
        log.info("next")

    assert len(drops) == 1
    assert [record["message"] for record in sink.records] == ["next", "lines dropped"]
    assert sink.records[-1]["lines"] == 2


def test_other_handlers_are_left_alone() -> None:
    foreign = logging.NullHandler()
    logging.getLogger().addHandler(foreign)
    try:
        report_drops_to(lambda: None)
    finally:
        logging.getLogger().removeHandler(foreign)

    assert not hasattr(foreign, "on_drop")


def fail_with_text() -> None:
    raise ValueError(f"{CANARY} {KEY}")


def note_as_argument() -> None:
    log.error("failed: %s", ValueError(CANARY))


def note_of_another_library() -> None:
    logging.getLogger("aiohttp.client").error("Unclosed response for %s", f"http://x/?q={CANARY}")


def note_of_asyncio() -> None:
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %s", CANARY)


def note_with_traceback() -> None:
    try:
        fail_with_text()
    except ValueError:
        log.exception("a bug")


def note_of_an_exchange() -> None:
    observers = Observers(AccessLog())
    observers.judged(judgement(result(pii=0.9, jailbreaking=0.99)))
    observers.finished(exchange(unjudged="error"))


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize(
    "note",
    [
        note_as_argument,
        note_of_another_library,
        note_of_asyncio,
        note_with_traceback,
        note_of_an_exchange,
    ],
)
def test_no_user_text_and_no_key_reaches_the_log(
    note: Callable[[], None], form: LogFormat, sink: Sink
) -> None:
    with installed(LogLevel.DEBUG, form, write=sink):
        note()

    assert len(sink.lines) == 1
    assert b"canary" not in sink.written


PROGRAM = """
import logging
from guardproxy.settings import LogFormat, LogLevel
from guardproxy.telemetry.logs import installed
with installed(LogLevel.INFO, LogFormat.JSON):
    for number in range({lines}):
        logging.getLogger("guardproxy.test").info("line %d %s", number, "x" * 400)
"""


def run_to_stderr(lines: int, stderr: int) -> int:
    command = [sys.executable, "-c", PROGRAM.format(lines=lines)]
    return subprocess.run(command, stderr=stderr, timeout=60, check=False).returncode


def test_standard_error_gets_whole_lines() -> None:
    ours, theirs = os.pipe()
    with open(ours, "rb") as read:  # noqa: PTH123 - a descriptor, not a path
        assert run_to_stderr(50, theirs) == 0
        os.close(theirs)
        lines = read.read().splitlines()

    assert [json.loads(line)["message"].split()[1] for line in lines] == [str(n) for n in range(50)]


def test_a_process_whose_log_nobody_reads_still_works_and_ends_x26() -> None:
    ours, theirs = os.pipe()

    # 2,000 lines of 500 bytes: more than any pipe takes.
    status = run_to_stderr(2_000, theirs)
    os.close(ours)
    os.close(theirs)

    assert status == 0
