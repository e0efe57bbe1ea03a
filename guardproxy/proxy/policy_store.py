"""The policy in force, and its replacement while requests are running.

A new policy is swapped in whole or not at all: one that cannot be loaded leaves the last good one
in force and says so. A request keeps the policy it began with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from watchfiles import awatch

from guardproxy.policy.active import ActivePolicy
from guardproxy.policy.load import MAX_BYTES

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1_000
"""Milliseconds after which the file is read even if nobody told of a change."""


class PolicyStore:
    """Holds the policy in force.

    Args:
        load: reads and resolves the policy anew.
        on_reload: told of every attempt: the policy read, or None if it cannot be used.

    Raises:
        ConfigurationError: the first policy cannot be loaded.
    """

    def __init__(
        self,
        load: Callable[[], ActivePolicy],
        on_reload: Callable[[ActivePolicy | None], None],
    ) -> None:
        self._load = load
        self._on_reload = on_reload
        self._active = load()
        self.last_error: str | None = None

    def active(self) -> ActivePolicy:
        """The policy for a request that begins now."""
        return self._active

    def reload(self) -> bool:
        """Loads the policy anew; whether what is in force is what the file says."""
        try:
            fresh = self._load()
        except Exception as error:  # noqa: BLE001 - else the watch ends, and the judge with it
            self.last_error = str(error)
            # One line for the operator; where in our code it was raised does not help him.
            message = "policy not reloaded, %s stays in force: %s"
            logger.error(message, self._active.label, error)  # noqa: TRY400 - see above
            self._on_reload(None)
            return False
        self.last_error = None
        if fresh.version != self._active.version:
            logger.info("policy reloaded: %s replaces %s", fresh.label, self._active.label)
            self._active = fresh
        else:
            logger.info("policy read again: %s is unchanged", fresh.label)
        self._on_reload(fresh)
        return True

    async def watch(self, file: Path) -> None:
        """Reloads whenever the file's content changes; runs until it is cancelled.

        The folder is watched, not the file: editors and Kubernetes replace files, and a watch on
        the old one would see nothing more. Where the system tells of no change (a link further up
        was replaced, a network file system), the file is read every second.
        """
        seen = _content(file)
        async for _ in _occasions(file.parent):
            # Beside the loop: a disk or a network that hangs must not keep every request waiting.
            content = await asyncio.to_thread(_content, file)
            if content != seen:
                seen = content
                self.reload()


async def _occasions(folder: Path) -> AsyncIterator[None]:
    """Whenever something in the folder may have changed."""
    try:
        async for _ in awatch(
            folder,
            watch_filter=None,  # theirs passes over whole folders because of their names
            recursive=False,
            step=100,
            debounce=400,
            rust_timeout=_LOOK_EVERY,
            yield_on_timeout=True,
        ):
            yield
    except (OSError, RuntimeError) as error:
        # Most often too many watches on one machine. A guard does not stop for that.
        kind = type(error).__name__
        logger.warning(
            "the policy's folder cannot be watched (%s): its file is read every second", kind
        )
    while True:
        await asyncio.sleep(_LOOK_EVERY / 1000)
        yield


def _content(file: Path) -> bytes | None:
    # No more of it than a policy may have: it is read every second.
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError:
        return None
