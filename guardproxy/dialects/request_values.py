"""Values of a request that must have a shape: checked before anything is read, refused by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from guardproxy.content import Role
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue, is_plain_key, read

_DEFAULTS = {"add_generation_prompt": True, "continue_final_message": False}
"""What servers do if nothing is said."""


def object_of(
    body: bytes, limits: Limits, known: frozenset[str] = frozenset()
) -> dict[str, JsonValue]:
    """The JSON object that a request's body is.

    Raises:
        RequestError: it is none, cannot be read safely, or has a `known` key in another case.
    """
    value = read(body, depth=limits.json_depth, members=limits.json_members)
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object", code="invalid_body")
    check_case(value, known)
    return value


def check_case(value: Mapping[str, JsonValue], known: frozenset[str], path: str = "") -> None:
    """Refuses keys that servers in Go read as known ones: they find a key whatever its case.

    Raises:
        RequestError: a key is a known one but for its case: it would be read there as what it is
            not here.
    """
    if value.keys() <= known:
        return
    folded = _folded(known)
    for key in value:
        name = folded.get(key.casefold())
        if name is not None and key not in known:
            place = f"{path}.{name}" if path else name
            raise RequestError(
                f"the key must be written `{name}`", code="ambiguous_key", param=place
            )


@cache
def _folded(known: frozenset[str]) -> Mapping[str, str]:
    return {name.casefold(): name for name in known}


def refuse_unread(body: Mapping[str, JsonValue], names: Collection[str]) -> None:
    """Refuses fields that change what the model reads behind the guard's back.

    Raises:
        RequestError: one of `names` is there and says something.
    """
    for field in sorted(names & body.keys()):
        if body[field] not in (None, "", [], {}) and not _only_switches(field, body[field], names):
            raise RequestError(
                f"`{field}` is not let through: it changes what the model reads in a way "
                "that cannot be judged",
                code="unsupported_field", param=field,
            )  # fmt: skip


def _only_switches(field: str, value: JsonValue, names: Collection[str]) -> bool:
    """Whether a field that could change the prompt only says how a model is to think, or nothing.

    Qwen, GLM and DeepSeek are told by their template, Gemini by `extra_body`, as their makers have
    it. What is a word there is judged as in any other field.
    """
    if field in _DEFAULTS:
        return value is _DEFAULTS[field]
    if not isinstance(value, dict):
        return False
    if field == "chat_template_kwargs":
        return all(name not in names and _is_switch(name, member) for name, member in value.items())
    if field == "google":
        return value.keys() <= {"thinking_config"}
    return field == "extra_body" and all(
        _only_switches(name, member, names) for name, member in value.items()
    )


def _is_switch(name: str, value: JsonValue) -> bool:
    return is_plain_key(name) and isinstance(value, str if name == "reasoning_effort" else bool)


def refuse_guardrails(body: Mapping[str, JsonValue]) -> None:
    """Refuses inline guardrails where Mistral's API takes none.

    Raises:
        RequestError: they would be a promise that nobody keeps (422, as Mistral answers).
    """
    if body.get("guardrails") is not None:
        raise RequestError(
            "this route takes no guardrails; leave the field out",
            status=422, code="extra_forbidden", param="guardrails",
        )  # fmt: skip


def switch_of(body: Mapping[str, JsonValue], field: str) -> bool | None:
    """The value of a field that is true, false, null or absent.

    Raises:
        RequestError: it is something else.
    """
    value = body.get(field)
    if isinstance(value, bool | None):
        return value
    raise RequestError("must be true or false", code="invalid_type", param=field)


def count_of(body: Mapping[str, JsonValue], field: str) -> int | None:
    """The value of a field that counts something; None if it is null or absent.

    Raises:
        RequestError: it is no whole number, or a negative one.
    """
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RequestError("must be a whole number, 0 or more", code="invalid_type", param=field)
    return value


def choices_of(body: Mapping[str, JsonValue], field: str, limits: Limits, *, least: int = 1) -> int:
    """How many choices a field asks for; 1 if it is null or absent.

    Raises:
        RequestError: fewer than `least`, or more than the limit.
    """
    choices = count_of(body, field)
    if choices is None:
        return 1
    if not least <= choices <= limits.choices:
        raise RequestError(
            f"must be between {least} and {limits.choices}", code="too_many_choices", param=field
        )
    return choices


def text_inputs(body: Mapping[str, JsonValue], field: str, limit: int) -> list[tuple[str, str]]:
    """Path and text of what is to be completed or embedded: a string, or a list of strings.

    Raises:
        RequestError: it is neither; numbers are tokens, which only the upstream can read.
    """
    value = body.get(field)
    if isinstance(value, str):
        return [(field, value)]
    entries = value if isinstance(value, list) else []
    if len(entries) > limit:
        raise RequestError(f"more than {limit} entries", code=f"too_many_{field}s", param=field)
    texts = [(f"{field}[{at}]", text) for at, text in enumerate(entries) if isinstance(text, str)]
    if not texts or len(texts) < len(entries):
        raise RequestError(
            "must be a string or a list of strings; token numbers cannot be judged",
            code=f"invalid_{field}", param=field,
        )  # fmt: skip
    return texts


def role_of(value: JsonValue, roles: Mapping[str, Role], path: str) -> Role:
    """The role that a name stands for.

    Raises:
        RequestError: it stands for none.
    """
    role = roles.get(value) if isinstance(value, str) else None
    if role is None:
        raise RequestError(
            f"must be one of {', '.join(roles)}", code="unknown_role", param=f"{path}.role"
        )
    return role


def odd_biases(biases: JsonValue) -> JsonValue:
    """What is left of `logit_bias` without its pairs of a token's number and a number."""
    if not isinstance(biases, dict):
        return biases
    return {
        key: bias
        for key, bias in biases.items()
        if not (key.isascii() and key.isdecimal() and isinstance(bias, int | float | None))
    }
