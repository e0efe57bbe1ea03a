"""One server for all tests that speak HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette

from guardproxy.moderation.endpoint import Surroundings, routes
from tests.fakes import KeywordClassifier, WordCounter
from tests.moderation.support import served


@pytest.fixture(scope="session")
def keyword_url() -> Iterator[str]:
    """The endpoints with a classifier that looks for words."""
    surroundings = Surroundings(request_id=lambda scope: "0" * 32)
    app = Starlette(routes=routes(KeywordClassifier(), WordCounter(), surroundings))
    with served(app) as url:
        yield url
