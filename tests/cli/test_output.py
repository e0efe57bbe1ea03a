"""A table whose reader has gone ends as a broken pipe, not as a verdict."""

from __future__ import annotations

import os

import pytest

from guardproxy.cli.output import Output


def test_a_broken_pipe_stays_one() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError), os.fdopen(writer, "w") as gone:
        Output(file=gone).print("a table")
