"""The system's bound on open files, which are connections here."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

if sys.platform != "win32":
    import resource

logger = logging.getLogger(__name__)

_OF_REQUEST = 2
"""The caller's connection and the upstream's."""

_ROOM = 4
"""As many again for connections that are kept open without a request, on both sides."""

_OURS = 256
"""Model, log, policy, metrics, the loop's own."""


def allow_open_files(requests: int) -> None:
    """Raises this process' bound as far as `requests` at once may need; says if it is too low.

    Most systems start at 1,024, which 500 requests use up, and let a process raise it itself.
    """
    if sys.platform == "win32":  # pragma: no cover - it has no such bound
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ROOM * requests + _OURS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        new = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(OSError, ValueError):  # a system may have bounds that it does not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (new, hard))
            soft = new
    if soft != resource.RLIM_INFINITY and soft < _OF_REQUEST * requests + _OURS:
        logger.warning(
            "%d open files are allowed, too few for %d requests at once: "
            "raise the limit (ulimit -n) or lower GUARDPROXY_CONCURRENT_REQUESTS",
            soft,
            requests,
        )
