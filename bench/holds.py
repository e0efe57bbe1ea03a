"""How long a large text keeps the interpreter to itself: `python -m bench.holds`.

    python -m bench.holds [--characters 1000000] [--rounds 5]

What long texts need is done in a thread, but a call into C that does not let go of the interpreter
stops the event loop all the same. Here one thread does the work and another wakes every half a
millisecond and looks at the clock; the longest time between two looks is the hold, and some 5 ms of
it are the interpreter's own switch between threads. Medians of the rounds; other load adds to them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from guardproxy import strict_json
from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import verify_model_folder
from guardproxy.classifiers.onnx import OnnxModel
from guardproxy.classifiers.recognizers import pii_score
from guardproxy.content import Passage
from guardproxy.normalize import views

_PERIOD: Final = 0.0005
_TEXTS: Final = {
    "prose": "The river rose in the night, and by morning the lower bridge was under water. ",
    "mark-up": "- **Note**: see `docs/policies.md`, *section 4* (a_b-c), or <b>ask</b> at 12:30.\n",
    "accents": "Où êtes-vous allés l'été dernier, mon cœur ? À Besançon, très tôt. ",
    "Chinese": "今天天气很好,我们去公园散步吧。晚上回家吃饭。",
}


def texts(characters: int) -> Iterator[tuple[str, str]]:
    """Kind, and a text of it of so many characters, with a number here and there."""
    draw = random.Random(3)
    for kind, piece in _TEXTS.items():
        pieces: list[str] = []
        while len(pieces) * len(piece) < characters:
            pieces.append(piece if draw.random() < 0.8 else f"{draw.randrange(10**6)} ")
        yield kind, "".join(pieces)[:characters]


def hold(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds between two looks at the clock, the longest, while the work is done; all of it."""
    gaps, over = [0.0], threading.Event()

    def look() -> None:
        last = time.perf_counter()
        while not over.is_set():
            time.sleep(_PERIOD)
            gaps.append(time.perf_counter() - last)
            last += gaps[-1]

    looking = threading.Thread(target=look)
    looking.start()
    started = time.perf_counter()
    work()
    lasted = time.perf_counter() - started
    over.set()
    looking.join()
    return max(gaps), lasted


def rooms(characters: int) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Room, kind of text, and what is done with it."""
    model = OnnxModel(verify_model_folder(EMBEDDED_FOLDER))
    for kind, text in texts(characters):
        body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
        yield "parse", kind, partial(strict_json.read, body, depth=64, members=1_000)
        yield "normalise", kind, partial(views, text)
        yield "recognise", kind, partial(pii_score, text)
        yield "tokenise", kind, partial(model.windows, Passage(text))


def main() -> None:
    parser = argparse.ArgumentParser(description="how long large texts hold the interpreter")
    parser.add_argument("--characters", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(f"| room | {given.characters:,} characters of | longest hold, ms | all of it, ms |")
    print("| --- | --- | ---: | ---: |")
    for room, kind, work in rooms(given.characters):
        work()
        found = [hold(work) for _ in range(given.rounds)]
        longest, lasted = (statistics.median(each) * 1000 for each in zip(*found, strict=True))
        print(f"| {room} | {kind} | {longest:.1f} | {lasted:.0f} |", flush=True)


if __name__ == "__main__":
    main()
