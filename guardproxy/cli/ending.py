"""How a command ends that is interrupted, or whose output nobody takes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

import click

_UNUSABLE: Final = 2
_INTERRUPTED: Final = 130
"""What a shell says of a program that Ctrl-C ended: 128 + SIGINT."""
_PIPE_CLOSED: Final = 141
"""The same of one whose reader has gone: 128 + SIGPIPE."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


@contextmanager
def ended_well() -> Iterator[None]:
    """Ends a command that is interrupted, or whose output cannot be written, and never with 1.

    Raises:
        SystemExit: 130 interrupted, 141 nobody reads on, 2 the disk is full or broken.
    """
    try:
        yield
    except KeyboardInterrupt:
        _tell("interrupted")
        raise SystemExit(_INTERRUPTED) from None
    except OSError as error:
        # An error of opening a file names the file.
        if error.filename is not None or error.errno not in {errno.EPIPE, *_FULL}:
            raise
        _drop_the_rest(sys.stdout)
        if error.errno == errno.EPIPE:
            raise SystemExit(_PIPE_CLOSED) from None
        _tell(f"Error: cannot write the output: {error.strerror}")
        raise SystemExit(_UNUSABLE) from None


def _tell(line: str) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        _drop_the_rest(sys.stderr)


def _drop_the_rest(stream: TextIO) -> None:
    """What is still in the buffer would be tried again at the end, and change the exit code."""
    with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
