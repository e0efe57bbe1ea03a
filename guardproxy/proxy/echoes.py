"""Where an answer repeats its request: what the policy exempts there, it exempts here. Pure.

Only there: what a model says is judged, even if it says word for word what the policy exempts in
a request. In a stream a piece may be one word, and whoever may send that word in an exempt text
would take it out of what is judged.
"""

from __future__ import annotations

from collections.abc import Collection

from guardproxy.dialects.repeats import ECHOED


def is_echo(place: str, text: str, exempt: Collection[str]) -> bool:
    """Whether a text of an answer repeats one that is exempt in its request.

    Args:
        place: path or channel.
        text: as the reader of the answer gives it; in streams its line may be ended.
        exempt: texts of the request.
    """
    if text not in exempt and text.removesuffix("\n") not in exempt:
        return False
    return ECHOED.fullmatch(place) is not None
