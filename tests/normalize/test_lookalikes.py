from __future__ import annotations

import runpy
from pathlib import Path

from guardproxy.normalize import lookalikes

ROOT = Path(__file__).parents[2]


def test_the_table_is_what_its_script_makes_of_the_data() -> None:
    made: dict[str, str] = {}
    exec(runpy.run_path(str(ROOT / "tools" / "lookalikes.py"))["module"](), made)  # noqa: S102 - ours

    for name in ("FOREIGN", "CHANGED", "ENCLOSED", "FLAGS"):
        assert made[name] == getattr(lookalikes, name), "run tools/lookalikes.py"
