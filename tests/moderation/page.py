"""The tables of docs/moderation-endpoints.md, made from the code.

`python -m tests.moderation.page` writes them.
"""

from __future__ import annotations

from pathlib import Path

from guardproxy.moderation import assisters, mistral, openai
from guardproxy.moderation.mapping import OPENAI_OMNI, OPENAI_TEXT, OPENAI_UNMAPPED
from guardproxy.policy.taxonomy import V1_SOURCES, V2_CATEGORIES

PAGE = Path(__file__).parent.parent.parent / "docs" / "moderation-endpoints.md"


def openai_table() -> str:
    text_keys = {row.key for row in OPENAI_TEXT}
    rows = [
        f"| `{row.key}` | `{row.rule}` | {'yes' if row.key in text_keys else 'no'} | {row.why} |"
        for row in OPENAI_OMNI
    ]
    head = ["| key | score, over our categories | in the 11 keys | why |", "|---|---|---|---|"]
    unmapped = ", ".join(f"`{category}`" for category in OPENAI_UNMAPPED)
    return "\n".join([*head, *rows, "", f"No key means {unmapped}: they never flag an answer."])


def mistral_table() -> str:
    in_v1 = {source: key for key, sources in V1_SOURCES.items() for source in sources}
    rows = [
        f"| `{category}` | `{category}` | {f'`{in_v1[category]}`' if category in in_v1 else ''} |"
        for category in V2_CATEGORIES
    ]
    return "\n".join(["| ours | 2603, 11 keys | 2411, 9 keys |", "|---|---|---|", *rows])


def models_table() -> str:
    rows = [
        *(("OpenAI, Meridian", asked, shown) for asked, shown in openai.ANSWERS_AS.items()),
        *(("Mistral", name, name) for name in mistral.VINTAGES),
        *(("Assisters", name, name) for name in assisters.MODELS),
    ]
    head = ["| vendor | `model` | in the answer |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {who} | `{a}` | `{b}` |" for who, a, b in rows)])


TABLES = {"openai": openai_table, "mistral": mistral_table, "models": models_table}


def rendered(page: str) -> str:
    """The page with its tables made anew, between the comments that mark them."""
    for name, table in TABLES.items():
        opening, found, rest = page.partition(f"<!-- table: {name} -->\n")
        _, closed, after = rest.partition("<!-- end of table -->")
        if not (found and closed):
            raise ValueError(f"{PAGE.name} has no mark for the table {name!r}")
        page = f"{opening}{found}\n{table()}\n\n{closed}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
