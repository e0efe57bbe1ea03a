from __future__ import annotations

import pytest

from guardproxy.normalize.spelling import respell


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("t0 k1ll is h4rd 5th", "to kill is hard 5th"),
        ("k i l l people", "kill people"),
        ("h o w  t o  k i l l", "how to kill"),
        ("k.i-l_l p.e-o*p_l/e", "kill people"),
        ("k. i, l: l. e, r, s", "killers"),
        ("[k][i][l][l]", "kill"),
        ("q, w, e, r, k i l l", " kill"),
        ("k i l l, q, w, e, r", "kill "),
        ("k\u2022i\u2022l\u2022l", "kill"),
    ],
)
def test_a_disguise_is_undone(text: str, seen: str) -> None:
    assert seen in respell(text)


@pytest.mark.parametrize(
    "text",
    [
        "we saw the a b c d e f of it",
        "a, b, c",
        "A. B. C. D.",
        "x = y + z - w / v",
        "J. R. R. Tolkien",
        "q. w, e",
        "a[i][j] = b[j][i] + c[k][l];",
        "e4 e5 N f3",
        "U.S.A. I",
        "f(x, y, z)",
        "p, q, t, r",
    ],
)
def test_what_only_resembles_a_disguise_stays(text: str) -> None:
    assert respell(text) == text
