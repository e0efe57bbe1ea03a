from __future__ import annotations

import json

from guardproxy.evals.report_json import as_json
from tests.evals.reports import ORIGIN, REPORT


def test_the_json_is_the_report_field_for_field() -> None:
    shown = json.loads(as_json(ORIGIN, REPORT))

    assert shown.keys() == {"origin", "sections", "partial", "context", "buried", "behind"}
    assert shown["origin"]["seed"] == 0
    (section,) = shown["sections"]
    assert section["macro"] == {"value": 0.1235, "low": 0.1, "high": 0.2}
    assert section["categories"][1]["average_precision"]["value"] is None
    assert section["flagged_benign"]["pii"] is None, "NaN is no JSON"
    assert shown["partial"][0]["share"] == 0.25
    assert shown["context"]["pairs"] == 0
    assert shown["buried"]["texts"] == 60
    assert shown["behind"]["blocked_behind"]["value"] == 0.875
    assert section["slices"]["language"][0]["roc_auc"] == {"pii": 0.7}
