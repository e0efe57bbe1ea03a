from __future__ import annotations

from bench import beside
from guardproxy.classifiers.embedded import EMBEDDED_FOLDER


def test_two_graphs_are_timed_with_as_many_tokens() -> None:
    found = list(beside.measure(EMBEDDED_FOLDER / "model.onnx", rounds=1, runs=1))

    assert [tokens for tokens, _, _ in found] == list(beside.TOKENS)
    assert all(own > 0 and other > 0 for _, own, other in found)


def test_inputs_are_filled_by_their_names() -> None:
    feeds = beside._feeds(["input_ids", "attention_mask", "token_type_ids"], [5, 6])

    assert {name: value.tolist() for name, value in feeds.items()} == {
        "input_ids": [[5, 6]],
        "attention_mask": [[1, 1]],
        "token_type_ids": [[0, 0]],
    }
