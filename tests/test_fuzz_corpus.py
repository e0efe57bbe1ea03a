"""The corpus of the fuzzer, replayed: each file once found a way through the code, or a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.targets import TARGETS

CORPUS = Path(__file__).parent.parent / "fuzz" / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_whole_corpus(name: str) -> None:
    files = sorted((CORPUS / name).iterdir())

    assert files
    for file in files:
        TARGETS[name](file.read_bytes())


def test_every_corpus_has_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= TARGETS.keys()


def test_a_target_raises_for_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.targets.strict_json.read", lambda *_, **__: {"another": "value"})

    with pytest.raises(AssertionError):
        TARGETS["strict_json"](b"{}")
