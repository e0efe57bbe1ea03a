"""`guardproxy policy hash`: what `exempt_sha256` of a policy names a text by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import click

from guardproxy.content import Role, TextPart
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.policy.scope import digest


def lines_of(texts: Iterable[TextPart]) -> Iterable[str]:
    """One line a text: its hash, and where it stands as a YAML comment; never the text."""
    for part in texts:
        yield f"- {digest(part.text)}  # {part.role} {part.path}, {len(part.text)} characters"


def texts_in(given: str | BinaryIO) -> tuple[TextPart, ...]:
    """A text, or the texts in the body of a chat completions request.

    Raises:
        RequestError: the body cannot be read.
    """
    if isinstance(given, str):
        return (TextPart(Role.UNKNOWN, given, "text"),)
    limits = Limits()
    body = given.read(limits.body_bytes + 1)
    if len(body) > limits.body_bytes:
        raise RequestError(f"the body is longer than {limits.body_bytes} bytes")
    return ChatCompletions().read_request(body, limits).texts


def run(given: str | BinaryIO) -> None:
    """Prints the hashes.

    Raises:
        RequestError: see `texts_in`.
    """
    for line in lines_of(texts_in(given)):
        click.echo(line)
