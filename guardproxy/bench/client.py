"""Single requests, where one answer matters and not their number."""

from __future__ import annotations

import http.client
import json
from typing import Final
from urllib.parse import urlsplit

from guardproxy.bench.gateways import Target
from guardproxy.bench.words import repeated_prompt
from guardproxy.errors import ConfigurationError

_PATIENCE_SECONDS: Final = 60
_TRIES: Final = 5
_QUESTION: Final = "When do I water a cactus?"


def ask(target: Target, model: str, messages: list[dict[str, str]]) -> tuple[int, bytes]:
    """A chat completion; gives status and body.

    Raises:
        OSError, http.client.HTTPException: there was no answer.
    """
    address = urlsplit(target.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_PATIENCE_SECONDS)
    try:
        body = json.dumps({"model": model, "messages": messages})
        headers = {"content-type": "application/json", **target.headers}
        connection.request("POST", address.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def prime(target: Target, words: int) -> None:
    """Has guardproxy judge what will be sent over and over; a busy machine may need more tries."""
    for _ in range(_TRIES):
        prompt = {"role": "user", "content": repeated_prompt(words)}
        if ask(target, "fixed", [prompt])[0] == http.client.OK:
            return


def check(target: Target) -> None:
    """Makes sure that what is going to be measured is an answer of the upstream.

    Raises:
        ConfigurationError: it is not.
    """
    model = "fixed" if target.repeated else "new"
    try:
        status, body = ask(target, model, [{"role": "user", "content": _QUESTION}])
        said = json.loads(body)["choices"][0]["message"]["content"]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(
            f"{target.key} does not pass on the upstream's answer: {type(error).__name__}"
        ) from error
    if status != http.client.OK or not said:
        raise ConfigurationError(f"{target.key} answers {status}, not with what the upstream said")


def check_refuses(target: Target, text: str) -> None:
    """Makes sure that a gateway that is measured as a guard is one.

    Raises:
        ConfigurationError: the text got an answer.
    """
    status, _ = ask(target, "new", [{"role": "user", "content": text}])
    if status < http.client.BAD_REQUEST:
        raise ConfigurationError(f"{target.key} guards nothing: it lets through what it must not")
