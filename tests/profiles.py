"""How many examples a property takes: few in every check, many in the deep profile.

make test                       fast
GUARDPROXY_TESTS=deep make test deep, as `make deep` runs the properties
"""

from __future__ import annotations

import os

DEEP = os.environ.get("GUARDPROXY_TESTS") == "deep"
_SHARE_OF_FAST = 5
_FEWEST = 10


def examples(many: int) -> int:
    """`many` in the deep profile, a fifth of them in the fast one."""
    return many if DEEP else max(_FEWEST, many // _SHARE_OF_FAST)
