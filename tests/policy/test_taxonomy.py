from __future__ import annotations

from guardproxy.policy.taxonomy import V1_CATEGORIES, V1_SOURCES, V2_CATEGORIES


def test_the_categories_are_mistrals_eleven_and_nine() -> None:
    assert (len(V2_CATEGORIES), len(V1_CATEGORIES)) == (11, 9)
    assert set(V2_CATEGORIES) - set(V1_CATEGORIES) == {"dangerous", "criminal", "jailbreaking"}


def test_every_v1_category_reads_v2_categories() -> None:
    assert {source for sources in V1_SOURCES.values() for source in sources} == set(
        V2_CATEGORIES
    ) - {"jailbreaking"}
