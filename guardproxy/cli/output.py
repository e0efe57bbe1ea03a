"""Tables on standard output, whose reader may go away."""

from __future__ import annotations

import errno
import os

from rich.console import Console


class Output(Console):
    """Tables on standard output. rich would end with 1, which says that something was found."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
