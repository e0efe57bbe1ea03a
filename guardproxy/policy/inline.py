"""The caller's own `guardrails`, read as strictly as a policy file. Pure.

What `mistralai` really sends is accepted (api-contracts 1.11): `model_name` filled in, `action`
left out, thresholds of null. What it drops without a word is not: an entry without a config.
"""

from __future__ import annotations

import re

from pydantic import TypeAdapter, ValidationError

from guardproxy.errors import RequestError
from guardproxy.policy.config import GuardrailConfig
from guardproxy.policy.problems import problems_in
from guardproxy.policy.yaml_tree import Loc, dotted

MAX_ENTRIES = 16

_CODE = "invalid_guardrails"
_ENTRIES = TypeAdapter(list[GuardrailConfig])
# A key in an error's `param` is the caller's own text; shown is what looks like a name.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_inline(raw: object) -> tuple[GuardrailConfig, ...]:
    """The entries of a request's `guardrails`; none for null or absent.

    Args:
        raw: parsed JSON.

    Raises:
        RequestError: 422, `invalid_guardrails`; `param` says where
            (`guardrails[0].moderation_llm_v2.action`).
    """
    if raw is None:
        return ()
    if isinstance(raw, list) and len(raw) > MAX_ENTRIES:
        raise _refused((), f"has more than {MAX_ENTRIES} entries")
    try:
        return tuple(_ENTRIES.validate_python(raw))
    except ValidationError as error:
        problem = next(problems_in(error, sent_by_client=True))
        raise _refused(problem.loc, problem.message) from None


def _refused(loc: Loc, message: str) -> RequestError:
    shown = [step if isinstance(step, int) or _NAME.fullmatch(step) else "?" for step in loc]
    param = dotted(("guardrails", *shown))
    return RequestError(f"{param} {message}", status=422, code=_CODE, param=param)
