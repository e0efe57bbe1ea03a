"""What is remembered, and that nothing readable is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardproxy.classifiers.cache import Digester, ScoreCache


def test_the_least_recently_used_goes_first() -> None:
    cache: ScoreCache[int] = ScoreCache(2)
    cache.put(b"a", 1)
    cache.put(b"b", 2)
    cache.get(b"a")
    cache.put(b"c", 3)

    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (1, None, 3)
    assert len(cache) == 2


def test_no_entries_remember_nothing() -> None:
    cache: ScoreCache[int] = ScoreCache(0)
    cache.put(b"a", 1)

    assert cache.get(b"a") is None


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers())))
def test_a_cache_never_grows_beyond_its_entries_nor_lies(puts: list[tuple[bytes, int]]) -> None:
    cache: ScoreCache[int] = ScoreCache(3)
    latest: dict[bytes, int] = {}
    for key, value in puts:
        cache.put(key, value)
        latest[key] = value

        assert len(cache) <= 3
        assert cache.get(key) == value
    assert all(cache.get(key) in {None, value} for key, value in latest.items())


def test_equal_texts_have_equal_digests_of_a_process() -> None:
    digest = Digester()

    assert digest([b"text"]) == digest([b"text"])
    assert digest([b"text"]) != Digester()([b"text"])


def test_the_border_between_parts_counts() -> None:
    digest = Digester(b"key")

    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"])
    assert digest([b"ab"]) != digest([b"ab", b""])


def test_a_digest_holds_nothing_of_a_long_text() -> None:
    assert len(Digester()([b"secret " * 10_000])) == 16
