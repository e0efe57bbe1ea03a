"""A small report with everything in it."""

from __future__ import annotations

from guardproxy.evals.origin import DataFile, Origin
from guardproxy.evals.report import (
    AtThreshold,
    BehindFigures,
    BuriedFigures,
    CategoryFigures,
    ContextFigures,
    PartialFigures,
    Report,
    Section,
    SliceFigures,
)
from guardproxy.evals.resamples import Estimate

NONE = Estimate(None)
FIGURE = Estimate(0.123456, 0.1, 0.2)
AT = AtThreshold(precision=FIGURE, recall=Estimate(0.5), f1=FIGURE, false_positive_rate=NONE)

MEASURED = CategoryFigures("pii", 1200, 30, FIGURE, FIGURE, FIGURE, NONE, 0.05, AT, None)
SURE = CategoryFigures("sexual", 9, 9, Estimate(0.9), NONE, NONE, NONE, None, None, None)
UNKNOWN = CategoryFigures("law", 0, 0, NONE, NONE, NONE, NONE, None, None, None)
SLICE = SliceFigures(
    "en", 1230, FIGURE, 0.2, {"pii": 0.123456}, {"pii": 0.7}, 1200, FIGURE, 30, NONE
)
SECTION = Section(
    name="sources never trained on",
    rows=1230,
    sources=["a", "b"],
    macro=FIGURE,
    categories=[MEASURED, UNKNOWN, SURE],
    benign=30,
    blocked_benign=FIGURE,
    flagged_benign={"pii": float("nan")},
    slices={"language": [SLICE]},
)
PARTIAL = PartialFigures(
    0.25, 99, FIGURE, {}, FIGURE, FIGURE, Estimate(0.4), 9, FIGURE, Estimate(0.5)
)
CONTEXT = ContextFigures(54, False, FIGURE, FIGURE, 7, FIGURE, 0, NONE, NONE, 3, FIGURE)
BURIED = BuriedFigures(60, Estimate(0.5), FIGURE, Estimate(0.05, 0.0, 0.1))
BEHIND = BehindFigures(
    harmful=70,
    blocked_alone=Estimate(0.6),
    blocked_behind=Estimate(0.875),
    harmless=80,
    harmless_alone=Estimate(0.025),
    harmless_behind=Estimate(0.0375),
    harmless_after_harm=Estimate(0.0625),
)
REPORT = Report([SECTION], [PARTIAL], CONTEXT, BURIED, BEHIND)
ORIGIN = Origin(
    command="guardproxy eval --data dev",
    date="2026-01-02",
    machine="a processor, 2 cores",
    versions={"python": "3.11.1", "numpy": "2"},
    model="guardproxy 1.0",
    model_sha256="ab" * 32,
    judged="as in serve",
    policy="general-assistant@123",
    trained_on="not told",
    sample="1,230, all",
    resamples=200,
    seed=0,
    seconds=61.0,
    files=[DataFile("dev/a.jsonl", "cd" * 32, 1230)],
)
