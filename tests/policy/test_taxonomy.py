from __future__ import annotations

from guardproxy.policy.taxonomy import V1_CATEGORIES, V1_SOURCES, V2_CATEGORIES, as_v1


def test_the_categories_are_mistrals_eleven_and_nine() -> None:
    assert (len(V2_CATEGORIES), len(V1_CATEGORIES)) == (11, 9)
    assert set(V2_CATEGORIES) - set(V1_CATEGORIES) == {"dangerous", "criminal", "jailbreaking"}


def test_every_v1_category_reads_v2_categories() -> None:
    assert {source for sources in V1_SOURCES.values() for source in sources} == set(
        V2_CATEGORIES
    ) - {"jailbreaking"}


def test_scores_read_as_v1_take_the_highest_source() -> None:
    scores = dict.fromkeys(V2_CATEGORIES, 0.1) | {"dangerous": 0.4, "criminal": 0.7, "pii": 0.2}

    assert as_v1(scores) == dict.fromkeys(V1_CATEGORIES, 0.1) | {
        "dangerous_and_criminal_content": 0.7,
        "pii": 0.2,
    }
