"""The policies that cases run under; each a place where text could slip between two rules."""

from __future__ import annotations

from collections.abc import Mapping

from guardproxy.policy.scope import digest
from tests.dialects.bodies import CANARY

SCAFFOLD = f"You are an agent of a zoo. A visitor says that {CANARY}, so be careful."
"""A text that would be found, and is exempt as a whole."""

_JUDGED = "[{block_on_error: true, moderation_llm_v2: {action: block}}]"
# The judge is sure of the sentence at 0.9; these entries want more.
_LAX = (
    "[{block_on_error: true, moderation_llm_v2: "
    "{action: block, custom_category_thresholds: {dangerous: 0.95}}}]"
)
_REST = """
unscannable: {image: allow, audio: allow, file: allow}
allow_stored_state: true
passthrough: [{path: /v1/rerank, methods: [POST]}]
limits: {event_bytes: 65536, hold_bytes: 4096}
"""
"""Media pass, so that a text which is taken for one does, too."""


def _policy(name: str, *, asked: str = _JUDGED, mode: str = "hold", more: str = "") -> str:
    lines = (
        f"name: {name}",
        f"input: {asked}",
        f"output: {_JUDGED}",
        f"streaming: {{mode: {mode}}}",
    )
    return "\n".join((*lines, more)) + _REST


HOLD, BUFFER, LIVE = "hold", "buffer", "live"
LAX, IGNORE, REFUSE = "lax", "ignore", "refuse"
TOOLS, EXEMPT = "tools", "exempt"
POLICIES: Mapping[str, str] = {
    HOLD: _policy(HOLD),
    BUFFER: _policy(BUFFER, mode="buffer"),
    LIVE: _policy(LIVE, mode="live"),
    LAX: _policy(LAX, asked=_LAX),
    IGNORE: _policy(IGNORE, more="inline: ignore"),
    REFUSE: _policy(REFUSE, asked=_LAX, more="inline: refuse"),
    TOOLS: _policy(TOOLS, asked=_LAX, more=f"tool_results: {_JUDGED}"),
    EXEMPT: _policy(EXEMPT, more=f"tool_results: []\nexempt_sha256: [{digest(SCAFFOLD)}]"),
}
"""`lax`, `refuse`: only a caller's own entries find the sentence in a request. `tools`: only what
tools return is judged strictly. `exempt`: what tools return and the scaffold are not judged."""
