"""Labels of a foreign model are mapped strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardproxy.classifiers.manifest import EMBEDDED_FOLDER, verify_model_folder
from guardproxy.errors import ModelError
from tests.classifiers.foreign import injection, toxicity

JAILBREAKING = {"name": "INJECTION", "categories": ["jailbreaking"]}


def test_categories_follow_from_labels(tmp_path: Path) -> None:
    manifest = verify_model_folder(toxicity(tmp_path / "a")).manifest

    assert manifest.categories == ["hate_and_discrimination", "violence_and_threats", "criminal"]
    assert manifest.label_places == ((0, 1), (2,), (2,))
    assert manifest.outputs == 3
    assert not manifest.trained_on


def test_without_labels_every_category_has_its_own_place() -> None:

    manifest = verify_model_folder(EMBEDDED_FOLDER).manifest

    assert manifest.label_places == tuple((place,) for place in range(11))
    assert manifest.outputs == 11


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"categories": ["jailbreaking"]}, "categories: leave it out, the labels name them"),
        ({"labels": [{"name": "A", "categories": ["rude"]}]}, "categories: .*rude is no category"),
        ({"labels": [{"name": "A"}]}, "categories: .*no label stands for a category"),
        ({"labels": []}, "labels: "),
        ({"labels": "toxic"}, "labels: "),
        ({"labels": [{"name": "", "categories": []}]}, r"labels\.0\.name: "),
        ({"labels": [JAILBREAKING | {"weight": 1}]}, r"labels\.0\.weight: "),
        ({"default_thresholds": {}}, "default_thresholds: .*jailbreaking is missing"),
        ({"default_thresholds": {"jailbreaking": 0.5, "rude": 1.0}}, "rude is no category"),
        ({"partial_thresholds": {"rude": 1.0}}, "partial_thresholds: .*rude is no category"),
        ({"inputs": {"ids": "input_ids", "more": "x"}}, r"inputs\.more: "),
    ],
)
def test_a_map_that_says_nothing_or_too_much_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    folder = injection(tmp_path / "a", **change)

    with pytest.raises(ModelError, match=says) as caught:
        verify_model_folder(folder)
    assert "\n" not in str(caught.value)
