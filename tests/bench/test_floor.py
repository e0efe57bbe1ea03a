from __future__ import annotations

import pytest

from guardproxy.bench import floor
from guardproxy.errors import ConfigurationError


def test_the_model_alone_is_measured_with_what_it_takes() -> None:
    found = floor.measured_apart(0.01)
    sizes = list(found.sizes.values())

    assert min(found.prompt, found.answer, found.rate_one, found.rate_two, found.judgement) > 0
    assert list(found.sizes) == ["Python", "numpy, onnxruntime, tokenizers", "the model, at work"]
    assert min(sizes) > 1_000_000


def test_a_model_that_cannot_be_measured_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "command", lambda _: ["sh", "-c", "echo no model >&2; exit 1"])

    with pytest.raises(ConfigurationError, match="cannot be measured: no model"):
        floor.measured_apart(1)
