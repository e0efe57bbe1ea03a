"""What every test stands on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.profiles import examples

# A shared machine stalls for longer than hypothesis' 200 ms; time is not what properties are about.
# In CI hypothesis takes the same examples each run.
settings.register_profile(
    "guardproxy",
    settings.get_profile("ci" if "CI" in os.environ else "default"),
    deadline=None,
    max_examples=examples(100),
)
settings.load_profile("guardproxy")


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """Commands that run in this process set what signals do, for a process of their own."""
    kinds = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {kind: signal.getsignal(kind) for kind in kinds}
    yield
    for kind, handler in before.items():
        if signal.getsignal(kind) is not handler:
            signal.signal(kind, handler)
