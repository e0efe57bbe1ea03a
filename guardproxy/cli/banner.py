"""What guards what: a few lines at start-up."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from guardproxy.app import MODERATION_PATHS
from guardproxy.classifiers.manifest import ModelFolder
from guardproxy.dialects.routes import GUARDED
from guardproxy.policy.active import ActivePolicy
from guardproxy.policy.decide import Guardrail
from guardproxy.proxy.doors import NOT_COVERED
from guardproxy.settings import Settings

_CHECKSUM_DIGITS = 12
_COLUMNS = 100


def banner(
    *, version: str, address: str, settings: Settings, policy: ActivePolicy, folder: ModelFolder
) -> str:
    """The lines, aligned under their first words."""
    config = policy.config
    model = folder.manifest
    passthrough = [f"{' '.join(r.methods)} {r.path} (as raw text)" for r in config.passthrough]
    rows = [
        ("guardproxy", f"{version} on {address}/v1 -> {settings.upstream}"),
        ("callers", _callers(settings)),
        ("policy", f"{policy.label}, {policy.source}, streams: {config.streaming.mode}"),
        *(("input", line) for line in _entries(policy.input)),
        *(("tools", line) for line in _tool_results(policy)),
        *(("output", line) for line in _entries(policy.output)),
        ("unreadable", ", ".join(f"{kind}: {what}" for kind, what in config.unscannable)),
        ("model", f"{model.name} {model.version}, sha256 {model.checksum[:_CHECKSUM_DIGITS]}"),
        ("guarded", ", ".join([f"POST {', '.join(GUARDED)}", *passthrough])),
        ("passed", "GET /v1/models"),
        ("served", f"POST {', '.join(MODERATION_PATHS)}"),
        ("refused", f"everything else, e.g. {', '.join(list(NOT_COVERED)[:4])}"),
    ]
    exempt = [f"roles {', '.join(config.exempt_roles)}"] if config.exempt_roles else []
    if config.exempt_sha256:
        exempt.append(f"texts by sha256: {len(config.exempt_sha256)}")
    if exempt:
        rows.insert(5, ("not judged", "; ".join(exempt)))
    return "\n".join(_wrapped(f"{name:<10} {text}") for name, text in rows)


def _wrapped(line: str) -> str:
    return textwrap.fill(
        line,
        width=_COLUMNS,
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _callers(settings: Settings) -> str:
    if keys := len(settings.caller_keys):
        return "1 key" if keys == 1 else f"{keys} keys"
    if settings.upstream_api_key is not None:
        return "anyone (the upstream key is added)"
    return "anyone (the caller's own key goes upstream)"


def _tool_results(policy: ActivePolicy) -> Iterator[str]:
    """What tools return, where the policy has entries of its own for it."""
    return _entries(policy.tool_results) if policy.tool_results is not None else iter(())


def _entries(guardrails: Sequence[Guardrail]) -> Iterator[str]:
    for guardrail in guardrails:
        on = [f"{name} {limit:g}" for name, limit in guardrail.thresholds.items() if limit < 1]
        off = [name for name, limit in guardrail.thresholds.items() if limit >= 1]
        failing = "blocks" if guardrail.block_on_error else "passes"
        text = f"{guardrail.name}, action {guardrail.action}, {failing} on error: "
        text += ", ".join(on) or "nothing"
        yield text + (f" (off: {', '.join(off)})" if off else "")
    if not guardrails:
        yield "nothing is judged"
