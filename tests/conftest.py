"""What every test stands on."""

from __future__ import annotations

import os

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
