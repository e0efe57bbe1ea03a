"""How far judging has come, for whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def judging(total: float | None, *, shown: bool) -> Iterator[Callable[[float], None]]:
    """A bar on stderr while the block lasts; gives what moves it on.

    Args:
        total: how much there is to judge; None if nobody knows.
        shown: somebody is there to see it.
    """
    bar = Progress(
        TextColumn("judging"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        # Not redirected: it would move what belongs on stdout to stderr.
        redirect_stdout=False,
        transient=True,
        disable=not shown,
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda size: bar.advance(task, size)
