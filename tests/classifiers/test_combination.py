"""A combination is what its members are together, or refused with one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from guardproxy.classifiers.manifest import EMBEDDED_FOLDER, verify_model_folder
from guardproxy.errors import ModelError
from guardproxy.policy.taxonomy import V2_CATEGORIES
from tests.classifiers.foreign import combination, injection, toxicity

OWNED: dict[str, object] = {"model": "../injection", "owns": ["jailbreaking"]}


def test_an_owner_judges_alone_and_brings_its_threshold(tmp_path: Path) -> None:
    injection(tmp_path / "injection")
    folder = verify_model_folder(combination(tmp_path / "both", [{"model": "embedded"}, OWNED]))

    (embedded, most), (other, one) = folder.members
    assert embedded.path == EMBEDDED_FOLDER
    assert most == set(V2_CATEGORIES) - {"jailbreaking"}
    assert one == {"jailbreaking"}
    manifest = folder.manifest
    assert (manifest.name, manifest.version) == ("together", "2")
    assert manifest.categories == list(V2_CATEGORIES)
    assert manifest.default_thresholds == embedded.manifest.default_thresholds | {
        "jailbreaking": 0.9
    }
    assert manifest.checksum not in (embedded.manifest.checksum, other.manifest.checksum)
    assert not manifest.trained_on


def test_an_owner_is_asked_about_nothing_else(tmp_path: Path) -> None:
    members: list[dict[str, object]] = [
        {"model": "embedded"},
        {"model": str(EMBEDDED_FOLDER), "owns": ["pii", "law"]},
    ]

    (_, most), (_, few) = verify_model_folder(combination(tmp_path / "both", members)).members

    assert few == {"pii", "law"}
    assert most == set(V2_CATEGORIES) - few


def test_a_category_of_several_needs_a_threshold(tmp_path: Path) -> None:
    injection(tmp_path / "injection")
    members = [{"model": "embedded"}, {"model": "../injection"}]
    silent = combination(tmp_path / "silent", members)
    said = combination(tmp_path / "said", members, default_thresholds={"jailbreaking": 0.7})

    with pytest.raises(
        ModelError, match=r"default_thresholds\.jailbreaking: is missing; 2 members"
    ):
        verify_model_folder(silent)
    assert verify_model_folder(said).manifest.default_thresholds["jailbreaking"] == 0.7


def test_a_combination_may_judge_few_categories(tmp_path: Path) -> None:
    injection(tmp_path / "injection", training={"sources": ["a"]})
    toxicity(tmp_path / "toxicity")

    folder = verify_model_folder(
        combination(tmp_path / "both", [{"model": "../injection"}, {"model": "../toxicity"}])
    )

    assert folder.manifest.categories == [
        "hate_and_discrimination",
        "violence_and_threats",
        "criminal",
        "jailbreaking",
    ]


def test_thresholds_of_beginnings_are_those_of_the_only_judge(tmp_path: Path) -> None:
    injection(tmp_path / "injection", partial_thresholds={"jailbreaking": 0.8})
    toxicity(
        tmp_path / "toxicity",
        partial_thresholds={"hate_and_discrimination": 0.9, "criminal": 0.7, "pii": 0.6},
    )

    both: list[dict[str, object]] = [{"model": "../injection"}, {"model": "../toxicity"}]
    partial = verify_model_folder(combination(tmp_path / "both", both)).manifest.partial_thresholds
    given = {"jailbreaking": 0.3}
    told = verify_model_folder(
        combination(tmp_path / "told", both, default_thresholds=given)
    ).manifest

    assert partial == {"jailbreaking": 0.8, "hate_and_discrimination": 0.9, "criminal": 0.7}
    assert "jailbreaking" not in told.partial_thresholds


def test_what_any_of_them_has_seen_is_told_if_all_tell(tmp_path: Path) -> None:
    injection(tmp_path / "a", training={"sources": ["x", "y"]})
    injection(tmp_path / "b", training={"sources": ["y", "z"]}, weight=1.0)
    members: list[dict[str, object]] = [
        {"model": "../a", "owns": ["jailbreaking"]},
        {"model": "../b"},
    ]

    folder = verify_model_folder(combination(tmp_path / "both", members))

    assert folder.manifest.trained_on == {"x", "y", "z"}


@pytest.mark.parametrize(
    ("members", "more", "says"),
    [
        ([], {}, "members: "),
        ([{"model": "../nowhere"}], {}, "nowhere/manifest.yaml: No such file"),
        ([{"model": "../injection", "owns": ["pii"]}], {}, "members.0.owns: .* does not judge pii"),
        ([OWNED, OWNED], {}, r"members\.1\.owns: jailbreaking has an owner already"),
        ([OWNED], {"default_thresholds": {"pii": 0.5}}, "no member judges pii"),
        ([OWNED | {"weight": 1}], {}, r"members\.0\.weight: "),
        ([OWNED], {"inputs": {}}, "inputs: "),
        ([{"model": "../inner"}], {}, "inner/manifest.yaml: is a combination itself"),
        ([{"model": "."}], {}, "both/manifest.yaml: is a combination itself"),
        ([OWNED, {"model": "../both"}], {}, "both/manifest.yaml: is a combination itself"),
    ],
)
def test_a_combination_that_cannot_be_is_refused(
    tmp_path: Path, members: list[dict[str, Any]], more: dict[str, Any], says: str
) -> None:
    injection(tmp_path / "injection")
    combination(tmp_path / "inner", [OWNED])

    with pytest.raises(ModelError, match=says) as caught:
        verify_model_folder(combination(tmp_path / "both", members, **more))
    assert "\n" not in str(caught.value)


def test_the_merged_threshold_of_v1_comes_along_with_its_parts(tmp_path: Path) -> None:
    injection(tmp_path / "injection")
    toxicity(tmp_path / "toxicity")
    merged = "dangerous_and_criminal_content"
    whole = combination(tmp_path / "whole", [{"model": "embedded"}, OWNED])
    owned = {"model": "../toxicity", "owns": ["criminal", "hate_and_discrimination"]}
    apart = combination(tmp_path / "apart", [{"model": "embedded"}, owned])
    own = yaml.safe_load((EMBEDDED_FOLDER / "manifest.yaml").read_text())["default_thresholds"]

    assert verify_model_folder(whole).manifest.default_thresholds.get(merged) == own.get(merged)
    assert merged not in verify_model_folder(apart).manifest.default_thresholds
