"""What was measured, as values: the JSON report is these, field for field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardproxy.evals.resamples import Estimate


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a threshold makes of a category's rows."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    false_positive_rate: Estimate


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """One category on the rows where it is known.

    `default` is at the classifier's own threshold, `policy` at the policy's, on the rows whose
    direction it judges; None where it is off.
    """

    category: str
    positives: int
    negatives: int
    average_precision: Estimate
    roc_auc: Estimate
    recall_at_1_percent: Estimate
    recall_at_0_1_percent: Estimate
    calibration_error: float | None
    default: AtThreshold | None
    policy: AtThreshold | None


@dataclass(frozen=True, slots=True)
class SliceFigures:
    """Rows of one language, role, source or length.

    `macro` is over the categories with enough rows here, named in `average_precision` and
    `roc_auc`; `macro_of_all` is the same mean over the same categories, but on all rows of the
    section. `found` is the share of rows with a category that is 1 of which one is flagged at the
    default threshold; `blocked_benign` the share of benign rows that the policy blocks.
    """

    name: str
    rows: int
    macro: Estimate
    macro_of_all: float | None
    average_precision: Mapping[str, float]
    roc_auc: Mapping[str, float]
    positives: int
    found: Estimate
    benign: int
    blocked_benign: Estimate


@dataclass(frozen=True, slots=True)
class Section:
    """Figures on some sources. `macro` is the mean AP over the categories with enough rows."""

    name: str
    rows: int
    sources: Sequence[str]
    macro: Estimate
    categories: Sequence[CategoryFigures]
    benign: int
    blocked_benign: Estimate
    flagged_benign: Mapping[str, float]
    slices: Mapping[str, Sequence[SliceFigures]]


@dataclass(frozen=True, slots=True)
class PartialFigures:
    """Answers cut after a share of their characters.

    `share` is None for the highest scores of all of them: what happens to an answer that is judged
    at each. `blocked_benign` and `blocked_harmful` (of those with a category that is 1) are at the
    thresholds for unfinished text, the policy's or else the model's own
    (for 100 %: at the final ones), those `at_final` at the policy's own.
    """

    share: float | None
    rows: int
    macro: Estimate
    average_precision: Mapping[str, float]
    found: Estimate
    blocked_harmful: Estimate
    blocked_harmful_at_final: Estimate
    benign: int
    blocked_benign: Estimate
    blocked_benign_at_final: Estimate


@dataclass(frozen=True, slots=True)
class ContextFigures:
    """Rows with a conversation before them, judged with it and without.

    A row is right if something is flagged at the default thresholds exactly where a category is 1.
    `misleading` are rows whose text alone is judged wrong. `after_violation` are benign rows after
    a turn that is itself flagged.
    """

    rows: int
    reads_context: bool
    right: Estimate
    right_without: Estimate
    misleading: int
    misleading_right: Estimate
    pairs: int
    pairs_right: Estimate
    pairs_right_without: Estimate
    after_violation: int
    after_violation_blocked: Estimate


@dataclass(frozen=True, slots=True)
class BuriedFigures:
    """Short harmful texts in the middle of about 500 tokens of harmless ones.

    `blocked_buried` is of those that the policy blocks alone, `around_blocked` of the harmless
    texts without them.
    """

    texts: int
    blocked_alone: Estimate
    blocked_buried: Estimate
    around_blocked: Estimate


@dataclass(frozen=True, slots=True)
class BehindFigures:
    """Short texts behind turns that have nothing to do with them, of one language each.

    `blocked_behind` is of those harmful texts that the policy blocks alone, behind harmless turns;
    the shares of harmless texts are of all `harmless`, alone, behind harmless turns, and behind a
    harmful one of a user's.
    """

    harmful: int
    blocked_alone: Estimate
    blocked_behind: Estimate
    harmless: int
    harmless_alone: Estimate
    harmless_behind: Estimate
    harmless_after_harm: Estimate


@dataclass(frozen=True, slots=True)
class Report:
    """All figures. The first section is the headline: sources never trained on, if it is known
    which these are.
    """

    sections: Sequence[Section]
    partial: Sequence[PartialFigures]
    context: ContextFigures | None
    buried: BuriedFigures | None = None
    behind: BehindFigures | None = None
