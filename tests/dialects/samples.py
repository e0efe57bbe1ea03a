"""Verdicts for those who say them, and media that are some by their bytes."""

from __future__ import annotations

import base64
import hashlib

from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict

VERDICT = Verdict(
    (
        GuardrailResult(
            "moderation_llm_v2",
            "mistral-moderation-2603",
            Action.BLOCK,
            {"dangerous": CategoryDecision(0.5, 0.9, "choices[0].content")},
        ),
    )
)


def coded_url(kind: str, begins: bytes) -> str:
    """A medium as a `data:` URL: its first bytes, and noise."""
    data = begins + b"".join(hashlib.sha512(bytes([at])).digest() for at in range(20))
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


PICTURE = coded_url("image/png", b"\x89PNG\r\n\x1a\n")
SOUND = coded_url("audio/ogg", b"OggS")
DOCUMENT = coded_url("application/pdf", b"%PDF-1.7")
