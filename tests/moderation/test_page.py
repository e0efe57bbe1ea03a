from __future__ import annotations

import re

from guardproxy.moderation import assisters, mistral, openai
from guardproxy.moderation.dispatch import PATHS
from tests.moderation.page import PAGE, rendered


def test_the_tables_are_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == rendered(page), "run `python -m tests.moderation.page`"


def test_every_path_and_limit_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for path in PATHS:
        assert f"`POST {path}`" in page
    for limit in (openai.MAX_INPUTS, mistral.MAX_INPUTS, assisters.MAX_INPUTS):
        assert str(limit) in page
    assert f"{mistral.MAX_MESSAGES:,}" in page


def test_every_header_of_ours_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    source = (PAGE.parent.parent / "guardproxy" / "moderation" / "endpoint.py").read_text()

    headers = set(re.findall(r'"(x-[a-z-]+)"', source)) | {"deprecation", "sunset", "retry-after"}
    assert headers
    for header in headers:
        assert f"`{header}`" in page
