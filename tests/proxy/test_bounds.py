"""When the rest of a body must come."""

from __future__ import annotations

from guardproxy.proxy.bounds import SLOWEST_BYTES, Bounds


def test_the_rest_of_a_body_is_due_by_silence_by_pace_and_by_the_whole() -> None:
    bounds = Bounds(100, idle_seconds=60, body_seconds=600, grace_seconds=10)

    assert bounds.body_due(begun=0, last=0, received=0) == 10
    assert bounds.body_due(begun=0, last=9, received=5 * SLOWEST_BYTES) == 15
    assert bounds.body_due(begun=0, last=100, received=10**9) == 160
    assert bounds.body_due(begun=0, last=599, received=10**9) == 600
