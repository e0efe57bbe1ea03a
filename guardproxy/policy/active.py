"""A policy that is in force: read, resolved against a classifier's defaults, named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from guardproxy.policy.config import PolicyConfig
from guardproxy.policy.decide import Guardrail, raise_thresholds, resolve
from guardproxy.policy.load import LoadedPolicy
from guardproxy.verdict import Action, StreamMode


@dataclass(frozen=True, slots=True)
class ActivePolicy:
    """What judges every request that starts while it is in force.

    `version` is the beginning of the SHA-256 of the policy's text.
    """

    config: PolicyConfig
    version: str
    source: str
    input: tuple[Guardrail, ...]
    output: tuple[Guardrail, ...]
    tool_results: tuple[Guardrail, ...] | None = None
    """None where `input` judges them, too."""
    early: tuple[Guardrail, ...] = ()
    """`output` for the beginning of a text; the same where a beginning is judged like a whole."""

    @property
    def label(self) -> str:
        """`name@version`, for headers, logs and metrics."""
        return f"{self.config.name}@{self.version}"

    @property
    def uses_v1(self) -> bool:
        return any(guardrail.version == 1 for guardrail in self._all)

    @property
    def blocks_on_error(self) -> bool:
        """Some entry would rather have no answer than one that nobody judged."""
        return any(guardrail.block_on_error for guardrail in self._all)

    @property
    def _all(self) -> tuple[Guardrail, ...]:
        return (*self.input, *(self.tool_results or ()), *self.output)


def activate(
    loaded: LoadedPolicy,
    defaults: Mapping[str, float],
    partial: Mapping[str, float] = MappingProxyType({}),
) -> ActivePolicy:
    """Puts a loaded policy in force for a classifier with these default and partial thresholds.

    The partial ones are for policies that hold a stream's text and name none: where it leaves at
    once (`live`), a beginning that is blocked later is a beginning that was read.

    Raises:
        PolicyError: a category that the policy evaluates has no threshold.
    """
    tool_results = loaded.config.tool_results
    output = resolve(loaded.config.output, defaults)
    streaming = loaded.config.streaming
    if streaming.partial_thresholds is not None:
        partial = streaming.partial_thresholds
    elif streaming.mode is not StreamMode.HOLD:
        partial = {}
    return ActivePolicy(
        config=loaded.config,
        version=loaded.version,
        source=loaded.source,
        input=resolve(loaded.config.input, defaults),
        output=output,
        early=raise_thresholds(output, partial),
        tool_results=None if tool_results is None else resolve(tool_results, defaults),
    )


def blocks(guardrails: tuple[Guardrail, ...], category: str) -> bool:
    """Some entry blocks for this category."""
    return any(
        guardrail.action is Action.BLOCK and guardrail.thresholds.get(category, 1.0) < 1.0
        for guardrail in guardrails
    )
