"""`python -m fuzz TARGET`: looks for bytes that a target cannot take, guided by coverage.

Needs the dependency group `fuzz`. What it adds to a corpus goes to `fuzz/found/TARGET`, which is
not kept; a file that made a target fail goes there as `crash-...`. Words after the target are
libFuzzer's: `-max_total_time=300`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["guardproxy"]):
    from fuzz.targets import TARGETS

HERE = Path(__file__).parent


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"usage: python -m fuzz TARGET [libFuzzer options]; targets: {', '.join(TARGETS)}")
    found, kept = HERE / "found" / name, HERE / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    options = [f"-artifact_prefix={found}/", "-max_len=4096", *sys.argv[2:]]
    atheris.Setup([sys.argv[0], *options, str(found), str(kept)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
