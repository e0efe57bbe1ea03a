"""Nothing of a text is left out, and a grown text keeps its windows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guardproxy.classifiers.windows import collapse_white_space, cut, slices

sizes = st.integers(8, 64).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size // 2)))


@given(st.integers(0, 700), sizes)
def test_every_token_is_in_a_window_and_none_is_too_long(
    count: int, shape: tuple[int, int]
) -> None:
    size, overlap = shape

    windows = cut(range(count), size, overlap)

    assert {token for window in windows for token in window} == set(range(count))
    assert all(len(window) <= size for window in windows)
    assert all(len(window) == size for window in windows[:-1])


@given(st.integers(0, 700), sizes)
def test_neighbours_share_the_overlap(count: int, shape: tuple[int, int]) -> None:
    size, overlap = shape

    windows = cut(range(count), size, overlap)

    for left, right in pairwise(windows):
        assert list(left[len(left) - overlap :]) == list(right[:overlap])
        assert len(right) > overlap


@given(st.integers(0, 500), st.integers(0, 200), sizes)
def test_a_grown_text_keeps_all_windows_but_its_last(
    count: int, more: int, shape: tuple[int, int]
) -> None:
    before = cut(range(count), *shape)
    after = cut(range(count + more), *shape)

    assert after[: len(before) - 1] == before[:-1]


def test_an_empty_text_has_one_empty_window() -> None:
    assert cut([], 8, 2) == [[]]


@given(st.text(st.sampled_from("ab \u3000é\n"), max_size=80), st.integers(1, 20))
def test_slices_joined_are_the_text_and_none_is_too_long(text: str, size: int) -> None:
    pieces = list(slices(text, size))

    assert "".join(pieces) == text
    assert all(len(piece) <= size for piece in pieces)


def test_slices_are_cut_at_a_space_if_there_is_one() -> None:
    assert list(slices("one two three", 9)) == ["one two", " three"]


@given(st.text(st.sampled_from("a \t\r\n\u00a0\u3000\u2028")))
def test_white_space_collapses(text: str) -> None:
    collapsed = collapse_white_space(text)

    assert collapsed.split() == text.split()
    assert "  " not in collapsed
    assert collapsed == collapsed.strip()
