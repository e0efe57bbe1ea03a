"""Several models together: who judges which category, and what they are as one. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Final

from guardproxy.classifiers.manifest_form import MODEL_FILE, Combination, Manifest, Training
from guardproxy.policy.taxonomy import V2_CATEGORIES

_MERGED: Final = "dangerous_and_criminal_content"
_PARTS: Final = frozenset({"dangerous", "criminal"})


def duties(combination: Combination, members: Sequence[Manifest]) -> list[frozenset[str]]:
    """The categories that each member is asked about: what it owns, or all that nobody owns.

    Raises:
        ValueError: a member owns what it does not judge, or two own the same.
    """
    owned: set[str] = set()
    for place, (member, manifest) in enumerate(zip(combination.members, members, strict=True)):
        for category in member.owns:
            if category not in manifest.categories:
                raise ValueError(f"members.{place}.owns: {member.model} does not judge {category}")
            if category in owned:
                raise ValueError(f"members.{place}.owns: {category} has an owner already")
            owned.add(category)
    return [
        frozenset(member.owns) or frozenset(manifest.categories) - owned
        for member, manifest in zip(combination.members, members, strict=True)
    ]


def combined_manifest(
    combination: Combination, members: Sequence[Manifest], judged: Sequence[frozenset[str]]
) -> Manifest:
    """What several models are as one.

    Of the graph it says what the first member's says; nobody loads it. The checksum is made of
    those of all members.

    Args:
        combination: says how they are put together.
        members: their manifests, in its order.
        judged: the categories of each, from `duties`.

    Raises:
        ValueError: a category that several judge has no threshold.
    """
    categories = [c for c in V2_CATEGORIES if any(c in each for each in judged)]
    checksums = "".join(member.checksum for member in members)
    return members[0].model_copy(
        update={
            "name": combination.name,
            "version": combination.version,
            "categories": categories,
            "labels": None,
            "default_thresholds": _thresholds(combination, members, judged, categories),
            "partial_thresholds": _partial(combination, members, judged),
            "files": members[0].files
            | {MODEL_FILE: hashlib.sha256(checksums.encode()).hexdigest()},
            "languages": sorted({name for member in members for name in member.languages}),
            "training": _training(members),
            "notes": combination.notes,
        }
    )


def _thresholds(
    combination: Combination,
    members: Sequence[Manifest],
    judged: Sequence[frozenset[str]],
    categories: Sequence[str],
) -> dict[str, float]:
    given = combination.default_thresholds
    if strange := set(given) - set(categories) - {_MERGED}:
        raise ValueError(f"default_thresholds: no member judges {min(strange)}")
    thresholds = dict(given)
    for category in categories:
        judges = [m for m, own in zip(members, judged, strict=True) if category in own]
        if category not in thresholds and len(judges) > 1:
            raise ValueError(
                f"default_thresholds.{category}: is missing; {len(judges)} members judge it, and "
                "their highest score needs a threshold of its own, or one of them must own it"
            )
        thresholds.setdefault(category, judges[0].default_thresholds[category])
    for member, own in zip(members, judged, strict=True):
        if own >= _PARTS and not _PARTS & given.keys() and _MERGED in member.default_thresholds:
            thresholds.setdefault(_MERGED, member.default_thresholds[_MERGED])
    return thresholds


def _partial(
    combination: Combination, members: Sequence[Manifest], judged: Sequence[frozenset[str]]
) -> dict[str, float]:
    """Of categories that one member judges at its own threshold: theirs is of the same scores."""
    judges = Counter(chain.from_iterable(judged))
    return {
        category: threshold
        for member, own in zip(members, judged, strict=True)
        for category, threshold in member.partial_thresholds.items()
        if category in own and judges[category] == 1
        if category not in combination.default_thresholds
    }


def _training(members: Sequence[Manifest]) -> Training | None:
    """Sources that any of them has seen; None if one of them does not say."""
    if not all(member.trained_on for member in members):
        return None
    return Training(sources=sorted(frozenset().union(*(m.trained_on for m in members))))
