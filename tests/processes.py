"""`guardproxy serve` as a process of its own, whose words are kept and whose end is certain."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import RawAnswer, eventually, post

ROOT = Path(__file__).parent.parent
_GRACE_SECONDS = 5
_ADDRESS = re.compile(r"on (http://\S+?)/v1 ")


@dataclass(frozen=True, slots=True)
class Running:
    """A process; `said` and `logged` are the files of its standard output and error."""

    process: subprocess.Popen[bytes]
    said: Path
    logged: Path

    @property
    def url(self) -> str:
        """Where it listens, as it says itself."""
        eventually(lambda: _ADDRESS.search(self.output) or not self.alive, "the banner")
        found = _ADDRESS.search(self.output)
        assert found is not None, self.log
        return found[1]

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def output(self) -> str:
        return self.said.read_text(encoding="utf-8")

    @property
    def log(self) -> str:
        return self.logged.read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """The log, each line a JSON object; a last line that is being written is left out."""
        whole, _, _ = self.log.rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def has_logged(self, words: str) -> bool:
        return any(words in line["message"] for line in self.lines())

    def ready(self) -> Running:
        """Waits until it serves."""
        url = self.url
        eventually(lambda: self.get("/readyz").status == 200 or not self.alive, f"serving at {url}")
        assert self.alive, self.log
        return self

    def get(self, path: str) -> RawAnswer:
        with contextlib.suppress(OSError):
            return post(self.url, b"", method="GET", target=path, content_type=None, length=False)
        return RawAnswer(0, [], b"")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Waits for its end; its exit code."""
        eventually(lambda: not self.alive, "the end of the process")
        code = self.process.poll()
        assert code is not None
        return code


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[Running]:
    """Runs `guardproxy serve --port 0` with these arguments and `GUARDPROXY_*` variables."""
    with serving_from(ROOT, arguments, environment) as running:
        yield running


@contextmanager
def serving_from(
    checkout: Path, arguments: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Running]:
    """The same of another checkout, with this interpreter's packages."""
    with tempfile.TemporaryDirectory() as folder:
        said, logged = Path(folder, "said"), Path(folder, "logged")
        with said.open("wb") as out, logged.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "guardproxy", "serve", "--port", "0", *arguments],
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                env=_environment(environment),
                cwd=checkout,
                start_new_session=True,  # so that its workers end with it
            )
        try:
            yield Running(process, said, logged)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GUARDPROXY_")}
    return ours | {f"GUARDPROXY_{name.upper()}": value for name, value in given.items()}
