"""Other people's gateways, if they are installed: how each is run as its own documents say.

`bench/README.md` says how they are installed: each into a folder of its own name, below one that
`--opponents` names. One process each, no database, no logs beyond warnings, nothing else set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import yaml

from guardproxy.bench.gateways import Gateway, Start
from guardproxy.bench.machine import version_said_by
from guardproxy.bench.records import Missing

LITELLM = "litellm"
LITELLM_FILTER = "litellm-filter"
PORTKEY = "portkey"
LLM_SHIELD = "llm-shield-proxy"

_KEY = "sk-bench"
_PERSONAL = "Write to jane.doe@example.com about the garden."
"""What a filter of personal data has to refuse, or else it does not work."""
_FILTERED = ("email", "us_ssn", "visa", "mastercard", "aws_access_key", "github_token")
_FILTER = {
    "guardrail_name": "content-filter",
    "litellm_params": {
        "guardrail": "litellm_content_filter",
        "mode": ["pre_call", "post_call"],
        "default_on": True,
        "patterns": [
            {"pattern_type": "prebuilt", "pattern_name": name, "action": "BLOCK"}
            for name in _FILTERED
        ],
    },
}
Found: TypeAlias = Gateway | Missing


def installed(folder: Path) -> Iterator[Found]:
    """Every opponent: how it is run, or why it is not."""
    for find in (_litellm, _litellm_filter, _portkey, _llm_shield):
        yield find(folder)


def _litellm(folder: Path) -> Found:
    return _litellm_with(folder, LITELLM, "LiteLLM, no guard", [])


def _litellm_filter(folder: Path) -> Found:
    return _litellm_with(folder, LITELLM_FILTER, "LiteLLM, regex content filter", [_FILTER])


def _litellm_with(folder: Path, key: str, title: str, guardrails: list[object]) -> Found:
    program = folder / "litellm" / "bin" / "litellm"
    if not program.exists():
        return _absent(title, folder)

    def command(start: Start) -> list[str]:
        api = {"model": "openai/*", "api_base": f"{start.upstream}/v1", "api_key": _KEY}
        configuration = {
            "model_list": [{"model_name": "*", "litellm_params": api}],
            "general_settings": {"master_key": _KEY},
            "guardrails": guardrails,
        }
        file = start.folder / "config.yaml"
        file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        where = ["--host", "127.0.0.1", "--port", str(start.port)]
        return [str(program), "--config", str(file), "--num_workers", "1", *where]

    def environment(_: Start) -> dict[str, str]:
        return {
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would ask the network for prices
            "LITELLM_MODE": "PRODUCTION",
        }

    return Gateway(
        key=key,
        title=title,
        version=_python_version(program, "litellm"),
        command=command,
        ready="/health/readiness",
        environment=environment,
        headers=_authorized,
        refuses=_PERSONAL if guardrails else None,
    )


def _portkey(folder: Path) -> Found:
    title = "Portkey gateway, no guard"
    package = folder / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
    program = package / "build" / "start-server.js"
    if not program.exists():
        return _absent(title, folder)

    def headers(start: Start) -> dict[str, str]:
        host = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{start.upstream}/v1"}
        return {**_authorized(start), **host}

    return Gateway(
        key=PORTKEY,
        title=title,
        version=str(json.loads((package / "package.json").read_text())["version"]),
        command=lambda start: ["node", str(program), f"--port={start.port}", "--headless"],
        ready="/",
        environment=lambda _: {"NODE_ENV": "production"},
        headers=headers,
    )


def _llm_shield(folder: Path) -> Found:
    title = "LLM-Shield-Proxy, personal data both ways"
    program = folder / "llm-shield-proxy" / "bin" / "llm-shield-proxy"
    if not program.exists():
        return _absent(title, folder)

    def command(start: Start) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(start.port)]
        return [str(program), *where, "--workers", "1", "--log-level", "warning"]

    def environment(start: Start) -> dict[str, str]:
        return {
            "UPSTREAM_BASE_URL": f"{start.upstream}/v1",
            "UPSTREAM_API_KEY": _KEY,
            "VALID_VIRTUAL_KEYS": _KEY,
            "ENABLE_RESPONSE_PII_REDACTION": "true",
            "LOG_LEVEL": "WARNING",
        }

    return Gateway(
        key=LLM_SHIELD,
        title=title,
        version=_python_version(program, "llm-shield-proxy"),
        command=command,
        ready="/healthz",
        environment=environment,
        headers=_authorized,
    )


def _authorized(_: Start) -> dict[str, str]:
    return {"authorization": f"Bearer {_KEY}"}


def _absent(title: str, folder: Path) -> Missing:
    return Missing(title, f"not installed below {folder}, see bench/README.md")


def _python_version(program: Path, package: str) -> str:
    asks = f"from importlib.metadata import version; print(version({package!r}))"
    return version_said_by(str(program.with_name("python")), "-c", asks)
