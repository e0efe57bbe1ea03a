"""The environment: every `GUARDPROXY_*` variable, and the options of `guardproxy serve`.

What belongs to a process stands here; what belongs to the content of a request stands in the
policy (`policy.config.Limits`). `cli` makes one option of each field, from its description.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

KIB = 1024
MIB = 1024 * KIB

_KEY = re.compile(r"[!-~]+")


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


class Settings(BaseSettings):
    """What one process needs to know. Durations are seconds, sizes are bytes."""

    model_config = SettingsConfigDict(
        env_prefix="GUARDPROXY_",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        # A wait without an end is a bound that somebody forgot.
        allow_inf_nan=False,
    )

    upstream: str | None = Field(
        default=None,
        description="base URL of the LLM API, with its version path: https://api.openai.com/v1",
    )
    upstream_api_key: SecretStr | None = Field(
        default=None,
        description="key sent upstream in place of the caller's",
    )
    client_keys: SecretStr | None = Field(
        default=None,
        description="comma-separated keys a caller must present (needs an upstream key)",
    )
    forward_guardrails: bool = Field(
        default=False,
        description="leave inline `guardrails` in the body (only for a Mistral upstream)",
    )
    policy: str | None = Field(
        default=None,
        description="policy: a file, or the name of a shipped one; general-assistant if not given",
    )
    model: Path | None = Field(
        default=None, description="model folder; the embedded model if not given"
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on; 0 picks one")
    workers: int = Field(default=1, ge=1, le=256, description="number of processes")
    log_level: LogLevel = Field(default=LogLevel.INFO, description="lowest level that is logged")
    log_format: LogFormat = Field(
        default=LogFormat.JSON, description="`json`: an object a line; `text`: for a person"
    )
    header_bytes: int = Field(default=16 * KIB, ge=KIB, description="largest request head")
    header_count: int = Field(default=100, ge=10, description="most request headers")
    target_bytes: int = Field(default=8 * KIB, ge=256, description="longest path and query")
    buffered_bytes: int = Field(
        default=256 * MIB, ge=MIB, description="most bytes held at once, by all requests"
    )
    concurrent_requests: int = Field(
        default=1000, ge=1, description="most requests in progress; one more is answered 503"
    )
    connect_timeout: float = Field(
        default=10.0, gt=0, description="longest wait for a connection upstream"
    )
    idle_timeout: float = Field(
        default=60.0, gt=0, description="longest silence within an answer, or of the caller"
    )
    request_timeout: float = Field(
        default=600.0, gt=0, description="longest time a request may take in all"
    )
    shutdown_timeout: float = Field(
        default=30.0, gt=0, description="longest wait for running requests at shutdown"
    )
    classifier_timeout: float = Field(
        default=2.0, gt=0, description="longest wait for one judgement"
    )
    classifier_queue: int = Field(
        default=512, ge=1, description="most judgements waiting; one more is refused as overload"
    )
    classifier_threads: int | None = Field(
        default=None, ge=1, description="classifier runs at once; one per core if not given"
    )
    cache_entries: int = Field(
        default=16_384, ge=0, description="texts whose scores are remembered; 0 remembers none"
    )

    @field_validator("policy", "model", "host", mode="before")
    @classmethod
    def _says_something(cls, value: object) -> object:
        # An empty host would be every address, an empty path the current directory.
        if isinstance(value, str) and not value.strip():
            msg = "is empty; unset it for the default"
            raise ValueError(msg)
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _is_no_service_link(cls, value: object) -> object:
        if isinstance(value, str) and value.startswith("tcp://"):
            msg = (
                "is the link Kubernetes makes for a Service named guardproxy; "
                "set enableServiceLinks: false in the pod"
            )
            raise ValueError(msg)
        return value

    @field_validator("upstream_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _KEY.fullmatch(value.get_secret_value()):
            msg = "must be printable ASCII without spaces or line ends; unset it if there is none"
            raise ValueError(msg)
        return value

    @field_validator("upstream")
    @classmethod
    def _upstream_is_a_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not _is_plain_url(value):
            msg = "must be an http(s) URL without user, query or fragment"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("client_keys")
    @classmethod
    def _client_keys_hold_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        # A variable that was meant to hold keys and is blank must not open the door to everybody.
        if value is not None and not _keys(value):
            message = "holds no key; unset it to let everybody in"
            raise PydanticCustomError("no_key", message)
        return value

    @property
    def caller_keys(self) -> list[str]:
        """The keys of which a caller must present one; empty if none is asked for."""
        return _keys(self.client_keys) if self.client_keys is not None else []


def _keys(value: SecretStr) -> list[str]:
    return [key.strip() for key in value.get_secret_value().split(",") if key.strip()]


def _is_plain_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        # A port that is no number, a bracket without its other half.
        return False
    return parts.scheme in ("http", "https") and has_host and not set(value) & set("@?#")
