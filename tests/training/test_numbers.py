"""Loss, calibration, thresholds, average precision, few-bit matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

pytest.importorskip("torch", reason="torch is missing: pip install --group training")

import torch
from safetensors.numpy import save_file

from training.activations import Range
from training.averaging import averaged
from training.calibration import (
    DANGEROUS_AND_CRIMINAL,
    averaged_thresholds,
    calibrate,
    expected_error,
    partial_thresholds,
    reliability,
    thresholds,
)
from training.config import CATEGORIES
from training.encoder import dequantised
from training.features import highest_per_text
from training.heads import Examples, Head, HeadConfig, fit
from training.losses import masked_loss, with_union
from training.measure import average_precision, macro, table
from training.quantise import four_bit_rows, int8_matrix, smoothing_factors
from training.rows import LABELS

ONES = torch.ones(len(LABELS))
PLACES = {name: place for place, name in enumerate(LABELS)}


def labels(**known: int) -> torch.Tensor:
    row = torch.full((1, len(LABELS)), -1, dtype=torch.int8)
    for name, value in known.items():
        row[0, PLACES[name]] = value
    return row


def asked_of(logits: torch.Tensor, known: torch.Tensor) -> list[str]:
    """The categories whose logits a loss would change."""
    loss = masked_loss(logits, known, ONES, ONES, 0.0)
    (gradient,) = torch.autograd.grad(loss, logits)
    return [CATEGORIES[place] for place in gradient[0].nonzero().flatten().tolist()]


def test_unknown_labels_do_not_count() -> None:
    logits = torch.randn(1, len(CATEGORIES), requires_grad=True)

    assert asked_of(logits, labels(law=1)) == ["law"]


def test_a_union_asks_for_one_of_its_parts() -> None:
    logits = torch.zeros(1, len(CATEGORIES), requires_grad=True)

    assert asked_of(logits, labels(dangerous_or_criminal=1)) == ["dangerous", "criminal"]


def test_a_union_whose_parts_are_known_adds_nothing() -> None:
    logits = torch.zeros(1, len(CATEGORIES))

    with_parts = labels(dangerous=1, dangerous_or_criminal=1)

    assert masked_loss(logits, with_parts, ONES, ONES, 0.0) == pytest.approx(
        float(masked_loss(logits, labels(dangerous=1), ONES, ONES, 0.0))
    )


@given(st.floats(-8, 8), st.floats(-8, 8))
def test_the_union_is_what_independent_parts_give(one: float, other: float) -> None:
    logits = torch.zeros(1, len(CATEGORIES))
    logits[0, PLACES["dangerous"]], logits[0, PLACES["criminal"]] = one, other

    union = float(with_union(logits)[0, -1].sigmoid())

    p, q = (1 / (1 + np.exp(-x)) for x in (one, other))
    assert union == pytest.approx(1 - (1 - p) * (1 - q), abs=1e-5)


def scored(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    truth = (draw.random((count, len(LABELS))) < 0.3).astype(np.int8)
    logits = 3.0 * truth[:, : len(CATEGORIES)] + draw.normal(size=(count, len(CATEGORIES))) + 2
    return logits.astype(np.float32), truth


def test_calibrated_scores_say_how_often_they_are_right() -> None:
    logits, truth = scored()

    found = calibrate(logits, truth)
    bins = reliability(found.probabilities(logits), truth)

    assert expected_error(bins) < 0.03
    assert sum(each["texts"] for each in bins) == 400 * len(CATEGORIES)


def test_a_category_without_texts_cannot_be_calibrated() -> None:
    logits, truth = scored(5)

    with pytest.raises(ValueError, match="sexual: too few"):
        calibrate(logits, truth)


def test_a_calibrated_head_gives_the_probabilities() -> None:
    head = Head(
        np.ones((3, 2), np.float32),
        np.zeros(3, np.float32),
        np.ones((2, 3), np.float32),
        np.zeros(2, np.float32),
    )
    features = np.array([[0.5, 0.25]], np.float32)

    moved = head.calibrated(np.array([2, 1], np.float32), np.array([0, -1], np.float32))

    assert moved.logits(features).tolist() == [[4.5, 1.25]]


@given(st.integers(1, 20), st.integers(1, 50))
def test_thresholds_keep_false_positives_under_their_shares(each: int, together: int) -> None:
    draw = np.random.default_rng(each).random((600, len(CATEGORIES)), dtype=np.float32)
    benign = 0.9 * draw**3

    found = thresholds(
        benign, each=each / 1000, together=together / 1000, blocking=("sexual", "criminal")
    )

    reached = {name: benign[:, i] >= found[name] for i, name in enumerate(CATEGORIES)}
    assert all(hits.mean() <= each / 1000 + 0.002 for hits in reached.values())
    assert (reached["sexual"] | reached["criminal"]).mean() <= together / 1000
    assert found[DANGEROUS_AND_CRIMINAL] > 0


def test_a_category_of_low_recall_is_spared() -> None:
    benign = np.zeros((1000, len(CATEGORIES)), np.float32)
    tops = [0.95, 0.94, 0.93, 0.92, 0.91]
    benign[:5, CATEGORIES.index("sexual")] = tops
    benign[5:10, CATEGORIES.index("criminal")] = tops
    between = [0.905, 0.915, 0.925, 0.935]
    harmful = {
        "sexual": np.array([0.0] * 40 + between * 8 + [0.99] * 28),  # a step costs 8 of 60
        "criminal": np.array(between * 10 + [0.99] * 60),  # 10 of 100
    }

    found = thresholds(
        benign, each=0.005, together=0.006, blocking=("sexual", "criminal"), harmful=harmful
    )

    recalls = {name: (scores >= found[name]).mean() for name, scores in harmful.items()}
    assert recalls == {"sexual": 0.6, "criminal": 0.6}


def test_averaged_thresholds_leave_no_category_to_chance() -> None:
    """All categories are alike here: where one stands apart, a few texts put it there."""
    blocking = ("sexual", "hate_and_discrimination", "dangerous", "criminal")
    places = [CATEGORIES.index(name) for name in blocking]
    later = np.random.default_rng(99)
    harmless, harm = later.beta(0.5, 6, (20_000, len(CATEGORIES))), later.beta(3, 2, 20_000)
    least, blocked = [], []
    for seed in range(10):
        draw = np.random.default_rng(seed)
        benign = draw.beta(0.5, 6, (1000, len(CATEGORIES)))
        harmful = {name: draw.beta(3, 2, 60) for name in blocking}
        for choose in (thresholds, averaged_thresholds):
            found = choose(benign, each=0.005, together=0.016, blocking=blocking, harmful=harmful)
            limits = np.array([found[name] for name in blocking])
            least.append(min((harm >= limit).mean() for limit in limits))
            blocked.append((harmless[:, places] >= limits).any(axis=1).mean())

    plain, averaged = np.reshape(least, (10, 2)).mean(axis=0)
    assert averaged > plain + 0.01
    plain, averaged = np.reshape(blocked, (10, 2)).mean(axis=0)
    assert averaged < plain + 0.003


def test_average_precision_of_a_perfect_order_is_one() -> None:
    assert average_precision(np.array([0.9, 0.8, 0.1]), np.array([1, 1, 0])) == 1
    assert average_precision(np.array([0.5, 0.5]), np.array([1, 0])) == 0.5


def test_only_categories_with_texts_of_both_kinds_are_in_the_table() -> None:
    logits, truth = scored()
    truth[:, 0] = -1
    truth[:, 1] = 1

    found = table(logits, truth)

    assert list(found) == list(CATEGORIES[2:])
    assert macro(found) == pytest.approx(np.mean(list(found.values())), abs=1e-4)
    assert np.isnan(macro({}))


WEIGHTS = arrays.arrays(np.float32, (8, 64), elements=st.floats(-1, 1, width=32))


@given(WEIGHTS)
def test_int8_weights_are_off_by_half_a_step_at_most(weights: np.ndarray) -> None:
    given_range = Range(np.full(8, -1, np.float32), np.full(8, 2, np.float32))

    packed = int8_matrix(weights, given_range)

    assert np.abs(packed.weights * packed.scales - weights).max() <= packed.scales.max() / 2 + 1e-6
    assert packed.input_zero == 85


def test_two_products_fit_in_16_bits_and_rounding_costs_little() -> None:
    weights = np.random.default_rng(0).normal(size=(256, 40)).astype(np.float32)
    weights[0, 0] = 40.0
    packed = int8_matrix(weights, Range(-np.ones(256), np.ones(256)))
    error = weights - packed.weights * packed.scales

    assert 2 * 255 * int(np.abs(packed.weights).max()) < 2**15
    assert np.abs(packed.weights).max(axis=0).min() == 64
    assert np.square(error[:, 1:]).sum() < 0.001 * np.square(weights[:, 1:]).sum()


def test_smoothing_takes_outliers_out_of_activations() -> None:
    weights = np.ones((2, 3), np.float32)
    activations = Range(np.array([-100, -1], np.float32), np.array([100, 1], np.float32))

    smoothed = activations.scaled(1 / smoothing_factors(weights, activations))

    assert smoothed.size[0] / smoothed.size[1] < 5


def test_four_bit_rows_come_back_exact() -> None:
    draw = np.random.default_rng(0)
    blocks = draw.integers(0, 256, (3, 2, 18), dtype=np.uint8)
    blocks[:, :, :2] = np.array([0.01], np.float16).view(np.uint8)
    blocks[:, :, 2] = 0  # a half byte of 0 stands for the largest weight, which gives the scale
    table_before = dequantised(blocks)

    packed, scales = four_bit_rows(table_before)

    halves = np.stack([packed & 15, packed >> 4], axis=-1).reshape(3, 2, 32).astype(np.float32)
    assert np.array_equal((halves - 8) * scales[..., None], table_before.reshape(3, 2, 32))


def test_a_text_scores_as_its_highest_window() -> None:
    windows = np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0.5]], np.float32)

    expected = np.array([[0.3, 0.2], [0.5, 0.5]], np.float32)
    assert np.array_equal(highest_per_text(windows, [2, 1]), expected)


def test_weights_are_averaged_but_for_new_ones(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("weights")
    save_file({"a": np.zeros(2, np.float32)}, folder / "before")
    after = {"a": np.ones(2, np.float32), "queries": np.ones(1, np.float32)}
    save_file({**after, "head.weight": np.ones(1, np.float32)}, folder / "after")
    save_file({name: 3 * value for name, value in after.items()}, folder / "other")

    one = averaged(folder / "before", [folder / "after"], 0.25)
    two = averaged(folder / "before", [folder / "after", folder / "other"], 0.25)

    assert {name: value.tolist() for name, value in one.items()} == {
        "a": [0.25, 0.25],
        "queries": [1.0],
    }
    assert {name: value.tolist() for name, value in two.items()} == {
        "a": [0.5, 0.5],
        "queries": [2.0],
    }


def test_a_head_learns_what_separates_texts_whatever_their_source() -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(600, 6)).astype(np.float32)
    truth = np.zeros((600, len(LABELS)), np.int8)
    truth[:, 1] = features[:, 0] > 0
    sources = ["one", "other"] * 300

    head = fit(
        Examples(features, truth, np.ones(600), sources),
        HeadConfig(hidden=8, members=2, epochs=30, rate=1e-2, offsets=True),
    )

    assert head.hidden_weight.shape == (16, 6)
    assert average_precision(head.logits(features)[:, 1], truth[:, 1]) > 0.95


def unfinished(flagged: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of thirty harmless texts, the first of which are flagged whole, and a copy to cut."""
    benign = np.full((30, len(CATEGORIES)), 0.1)
    benign[:flagged, 0] = 0.7
    return benign, benign.copy()


HALVES = dict.fromkeys(CATEGORIES, 0.5)


def test_unfinished_text_needs_a_higher_threshold_only_where_more_of_it_is_flagged() -> None:
    benign, cut = unfinished(flagged=1)
    cut[0, 0] = 0.99  # flagged whole as well
    cut[5, 1] = 0.9

    found = partial_thresholds([benign, cut], benign, HALVES, blocking=CATEGORIES)

    assert found == {CATEGORIES[1]: 0.901}


def test_a_tenth_more_texts_may_be_flagged_at_some_of_their_prefixes() -> None:
    benign, early = unfinished(flagged=10)
    late = early.copy()
    early[10, 0], late[10, 0], late[11, 0] = 0.95, 0.8, 0.9

    found = partial_thresholds([early, late], benign, HALVES, blocking=CATEGORIES)
    fewer = partial_thresholds([early, late], benign, HALVES, blocking=CATEGORIES, more=0.0)

    assert found == {CATEGORIES[0]: 0.901}
    assert fewer == {CATEGORIES[0]: 0.951}


def test_unfinished_text_is_blocked_hardly_more_often_by_all_categories_together() -> None:
    benign, cut = unfinished(flagged=10)
    benign[:10, :3] = 0.7  # ten texts, each by three categories
    cut[[10, 11, 12], [0, 1, 2]] = 0.8, 0.9, 0.6  # three texts, each by one

    found = partial_thresholds([cut], benign, HALVES, blocking=CATEGORIES[:3])
    alone = partial_thresholds([cut], benign, HALVES, blocking=CATEGORIES[2:3])

    limits = [found.get(name, 0.5) for name in CATEGORIES[:3]]
    assert (cut[10:, :3] >= limits).any(axis=1).sum() == 1
    assert alone == {}


def test_a_category_that_flags_every_text_has_no_threshold_for_beginnings() -> None:
    benign = np.full((3, len(CATEGORIES)), 0.9)

    assert partial_thresholds([benign], benign, HALVES, blocking=CATEGORIES) == {}


def test_a_score_above_every_threshold_ends_the_search() -> None:
    defaults = dict.fromkeys(CATEGORIES, 0.5)
    cut = np.ones((3, len(CATEGORIES)))

    found = partial_thresholds([cut], np.zeros_like(cut), defaults, blocking=CATEGORIES)

    assert set(found.values()) == {0.999}
