"""An LLM API for each file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import servers
from tests.servers import ScriptedUpstream


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedUpstream]:
    with servers.upstream() as running:
        yield running
