from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardproxy.content import Role
from guardproxy.errors import PolicyError
from guardproxy.policy.load import (
    MAX_BYTES,
    configs_directory,
    load_policy,
    load_policy_text,
    policy_path,
    resolve_policy,
    shipped_policies,
)
from guardproxy.policy.taxonomy import V2_CATEGORIES

GOOD = """\
name: mine
input:
  - block_on_error: true
    moderation_llm_v2:
      action: block
      custom_category_thresholds:
        pii: 0.5
output: []
"""


def refused(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        load_policy_text(text, "policy.yaml")
    return caught.value


def place(text: str) -> tuple[int | None, str]:
    error = refused(text)
    assert error.file == "policy.yaml"
    assert "\n" not in str(error)
    return error.line, error.key


def test_a_good_policy_loads_with_the_digest_of_its_bytes() -> None:
    loaded = load_policy_text(GOOD, "policy.yaml")

    assert loaded.config.name == "mine"
    assert loaded.config.input[0].block_on_error
    assert loaded.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert loaded.version == loaded.sha256[:12]
    assert loaded.warnings == ()


def test_the_operators_own_roles_can_be_exempt() -> None:
    config = load_policy_text(GOOD + "exempt_roles: [system, developer]\n", "policy.yaml").config

    assert config.exempt_roles == [Role.SYSTEM, Role.DEVELOPER]


def test_json_is_yaml_and_loads_too() -> None:
    text = '{"name": "mine", "input": [{"moderation_llm_v2": {"action": "none"}}], "output": []}'

    assert load_policy_text(text, "policy.json").config.name == "mine"


def test_an_error_is_one_line_of_file_line_key_and_what_to_do() -> None:
    error = refused(GOOD.replace("pii: 0.5", "pii: 50"))

    assert str(error) == (
        "policy.yaml:7: input[0].moderation_llm_v2.custom_category_thresholds.pii: "
        "must be less than or equal to 1"
    )


def test_all_problems_are_told_in_the_order_of_the_file() -> None:
    error = refused(GOOD.replace("pii: 0.5", "pii: 50").replace("name: mine", "name: Big"))

    assert [(one.line, one.key.rpartition(".")[2]) for one in (error, *error.others)] == [
        (1, "name"),
        (7, "pii"),
    ]


@pytest.mark.parametrize(
    ("wrong", "line", "key", "says"),
    [
        # P1: unknown and misspelt keys
        pytest.param(
            ("block_on_error", "block_on_eror"), 3, "input[0].block_on_eror",
            "unknown key; did you mean block_on_error?", id="P1-misspelt",
        ),
        pytest.param(("[]", "[]\nzzz: 1"), 9, "zzz", "unknown key", id="P1-unknown"),
        pytest.param(
            ("pii: 0.5", "spam: 0.5"), 7,
            "input[0].moderation_llm_v2.custom_category_thresholds.spam", "is not a category",
            id="P1-category",
        ),
        pytest.param(
            ("pii: 0.5", "dangerous_and_criminal_content: 0.5"), 7,
            "input[0].moderation_llm_v2.custom_category_thresholds.dangerous_and_criminal_content",
            "is a v1 category; v2 has dangerous and criminal", id="P1-v1-category-in-v2",
        ),
        pytest.param(
            ("moderation_llm_v2", "moderation_llm_v3"), 4, "input[0].moderation_llm_v3",
            "did you mean moderation_llm_v", id="P1-version",
        ),
        pytest.param(
            ("pii: 0.5", "pii: 0.5\n        pii: 0.9"), 8,
            "input[0].moderation_llm_v2.custom_category_thresholds.pii",
            "duplicate key, first given on line 7", id="P1-duplicate",
        ),
        # P2: YAML 1.1 surprises
        pytest.param(("true", "on"), 3, "input[0].block_on_error", "write true", id="P2-on"),
        pytest.param(("block\n", "off\n"), 5, "input[0].moderation_llm_v2.action",
                     "off is a boolean to some readers of YAML", id="P2-off"),
        pytest.param(("name: mine", "name: no"), 1, "name", "or quote it", id="P2-no"),
        pytest.param(("name: mine", "name: 12:30"), 1, "name", "quote it", id="P2-sexagesimal"),
        pytest.param(("name: mine", "name: 2026-11-21"), 1, "name", "is a date", id="P2-date"),
        pytest.param(("name: mine", "name: 7"), 1, "name", "put it in quotes", id="P2-number"),
        pytest.param(("name: mine", "name: 1e3"), 1, "name", "plain decimal", id="P2-exponent"),
        pytest.param(("name: mine", "name: ="), 1, "name", "special meaning", id="P2-value"),
        pytest.param(("name: mine", "<<: {name: mine}"), 1, "", "special meaning", id="P2-merge"),
        pytest.param(("name: mine", "no: mine"), 1, "", "or quote it", id="P2-key"),
        pytest.param(("name: mine", "1: mine"), 1, "", "a key must be text", id="P2-number-key"),
        pytest.param(("name: mine", "? [a]\n: x"), 1, "", "a key must be text", id="P2-list-key"),
        pytest.param(("0.5", "010"), 7, None, "plain decimal number", id="P2-octal"),
        pytest.param(("0.5", "0x1"), 7, None, "plain decimal number", id="P2-hex"),
        pytest.param(("0.5", "1_0"), 7, None, "plain decimal number", id="P2-underscore"),
        pytest.param(("0.5", ".nan"), 7, None, "plain decimal number", id="P2-nan"),
        pytest.param(("0.5", ".inf"), 7, None, "plain decimal number", id="P2-inf"),
        pytest.param(("0.5", "0:30.5"), 7, None, "plain decimal number", id="P2-sexagesimal-float"),
        # P4, P5: aliases, tags, documents
        pytest.param(("pii: 0.5", "pii: &a 0.5"), 7, "", "anchors", id="P4-anchor"),
        pytest.param(("output: []", "output: *a"), 8, "", "aliases", id="P4-alias"),
        pytest.param(("mine", "!!python/object:os.system {}"), 1, "", "tags", id="P5-python"),
        pytest.param(("0.5", "!!float 0.5"), 7, "", "tags", id="P5-float"),
        pytest.param(("[]", "[]\n---\nname: x"), 9, "", "second document", id="P5-document"),
        # A line's end to YAML 1.1 alone
        pytest.param(("[]", "[]  # no\u2028inline: ignore"), 8, "", "has U+2028", id="P3-comment"),
        pytest.param(("[]", "[]\ndescription: a\x85b: c"), 9, "", "has U+0085", id="P3-plain"),
        pytest.param(("name: mine", "name: 'mine'  # \u2029"), 1, "", "has U+2029", id="P3-quoted"),
        # P6: a threshold is a number from 0 to 1
        pytest.param(("0.5", "50"), 7, None, "less than or equal to 1", id="P6-50"),
        pytest.param(("0.5", "-1"), 7, None, "greater than or equal to 0", id="P6-minus"),
        pytest.param(("0.5", "nan"), 7, None, "must be a number", id="P6-nan"),
        pytest.param(("0.5", '"0.5"'), 7, None, "take the quotes away", id="P6-quoted"),
        pytest.param(("0.5", "true"), 7, None, "must be a number", id="P6-true"),
        pytest.param(("0.5", "[0.5]"), 7, None, "must be a number", id="P6-list"),
        pytest.param(("0.5", "9" * 5_000), 7, None, "9... is not a plain", id="P6-digits"),
        pytest.param(("0.5", "0,5"), 7, None, "a point, not a comma", id="P6-comma"),
        pytest.param(("0.5", "50%"), 7, None, "must be a number, not text", id="P6-percent"),
        # P7: nothing to guard with
        pytest.param((GOOD, ""), None, "", "is empty", id="P7-empty"),
        pytest.param((GOOD, "# later\n"), None, "", "is empty", id="P7-comment"),
        pytest.param((GOOD, "---\n"), None, "", "is empty", id="P7-marker"),
        pytest.param((GOOD, "null"), 1, "", "must be a mapping", id="P7-null"),
        pytest.param((GOOD, "- a\n"), 1, "", "must be a mapping", id="P7-list"),
        pytest.param((GOOD, "name: a\ninput: []\noutput: []"), 1, "", "guards no", id="P7-none"),
        pytest.param((GOOD, "name: mine\ninput: []\n"), 1, "output", "is missing", id="P7-missing"),
        pytest.param(("output: []", "output:"), 8, "output", "must be a list", id="P7-null-list"),
        pytest.param(
            ("output: []", "output: [{block_on_error: true}]"), 8, "output[0]",
            "has neither moderation_llm_v1 nor moderation_llm_v2", id="P7-no-config",
        ),
        pytest.param(
            ("output: []", "outputs: []"), 8, "outputs", "did you mean output?", id="P7-misspelt",
        ),
        # P8: no policy holds an expression that could run away; a route is a plain path
        pytest.param(("[]", "[]\npatterns: ['(a+)+$']"), 9, "patterns", "unknown key", id="P8-key"),
        pytest.param(
            ("[]", "[]\npassthrough: [{path: '/(a+)+$', methods: [GET]}]"), 9,
            "passthrough[0].path", "", id="P8-route",
        ),
        # P9: an entry that can never say anything
        pytest.param(
            ("custom_category_thresholds:\n        pii: 0.5", "ignore_other_categories: true"), 4,
            "input[0].moderation_llm_v2", "evaluates no category", id="P9-evaluates-nothing",
        ),
        # the rest
        pytest.param(("[]", "[]\nlimits: {choices: many}"), 9, "limits.choices",
                     "must be a whole number, not text", id="limit"),
        pytest.param(("[]", "[]\nexempt_roles: [user]"), 9, "exempt_roles[0]",
                     "is not the operator's own text", id="exempt-user"),
        pytest.param(("[]", "[]\nlimits:"), 9, "limits", "must be a mapping", id="null-section"),
        pytest.param(("[]", "[]\npassthrough: [{path: /x, methods: []}]"), 9,
                     "passthrough[0].methods", "must not be empty", id="no-methods"),
        pytest.param(("name: mine", "name: My desk"), 1, "name", ": lower-case letters", id="name"),
        pytest.param(("[]", "[]\nexempt_sha256: [abc]"), 9, "exempt_sha256[0]",
                     ": 64 hexadecimal digits", id="hash"),
        pytest.param(("block\n", "block\n      model_name: a b\n"), 6,
                     "input[0].moderation_llm_v2.model_name", ": one word of", id="model-name"),
        pytest.param(("[]", "[]\npassthrough: [{path: v1, methods: [GET]}]"), 9,
                     "passthrough[0].path", ": a / first", id="path"),
        pytest.param(("output: []", "output: ["), 9, "", "is not YAML", id="syntax"),
        pytest.param(("output: []", "output: [a"), 9, "", "line 8 is not closed", id="open-list"),
        pytest.param(("mine", "'mine"), 9, "", "line 1 is not closed", id="open-quote"),
        pytest.param(("output: []", "\toutput: []"), 8, "", "is not YAML", id="tab"),
        pytest.param(("  - b", "\t- b"), 3, "", "write spaces, not a tab", id="tab-for-spaces"),
        pytest.param(("mine", "@mine"), 1, "", "; quote the text", id="reserved-character"),
        pytest.param(("mine", "mine: his"), 1, "", "quote a text with a colon", id="colon"),
        pytest.param(("    mod", "  mod"), 4, "", "look at the indentation", id="indentation"),
        pytest.param(("output: []", "output"), 9, "", "a key needs a colon", id="no-colon"),
        pytest.param(("output: []", "output: \x07"), 8, "", "control character", id="control"),
        pytest.param(("mine", r'"\U00110000"'), 1, "", "no character", id="beyond-unicode"),
        pytest.param(("mine", r'"\UFFFFFFFF"'), 1, "", "no character", id="beyond-integers"),
        pytest.param(("[]", '[]\ndescription: "\\ud83d"'), 9, "description", "no character",
                     id="half-a-character"),
        pytest.param(("name", r'"\ud83d"'), 1, "", "no character", id="half-a-character-key"),
        pytest.param(
            ("output: []", "output: " + "[" * 40 + "]" * 40), 8, "", "nested too deeply", id="deep"
        ),
    ],
)  # fmt: skip
def test_a_bad_policy_is_refused_with_its_place(
    wrong: tuple[str, str], line: int | None, key: str | None, says: str
) -> None:
    text = GOOD.replace(*wrong, 1)
    threshold = "input[0].moderation_llm_v2.custom_category_thresholds.pii"

    assert place(text) == (line, threshold if key is None else key)
    assert says in str(refused(text))


def test_p4_an_alias_bomb_is_refused_before_it_is_built() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{after}: &{after} [{', '.join(['*' + before] * 9)}]\n"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert place(bomb) == (1, "")


def test_a_long_file_is_refused_by_its_size_and_by_its_nodes(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_text(GOOD + "#" * MAX_BYTES)

    with pytest.raises(PolicyError, match="is larger than 1000000 bytes"):
        load_policy(large)
    assert "too long" in str(refused("a: [" + "1," * 60_000 + "]"))


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: mine\n# Müller\n".encode("latin-1"))

    with pytest.raises(PolicyError, match=r"latin\.yaml:2: is not UTF-8"):
        load_policy(path)


def test_a_byte_order_mark_is_no_surprise(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())

    assert load_policy(path).config.name == "mine"


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_policy(tmp_path / "nowhere.yaml")
    with pytest.raises(PolicyError, match="cannot be read: Is a directory"):
        load_policy(tmp_path)


def test_v1_and_entries_that_never_block_are_warned_about() -> None:
    text = GOOD.replace("_v2", "_v1").replace(
        "output: []",
        "output: [{moderation_llm_v2: {action: block, ignore_other_categories: true,"
        " custom_category_thresholds: {pii: 1, law: 1.0}}}]",
    )

    old, idle = load_policy_text(text, "policy.yaml").warnings

    assert old.startswith("policy.yaml:4: input[0].moderation_llm_v1: is deprecated")
    assert idle.startswith("policy.yaml:8: output[0].moderation_llm_v2: never blocks")


def test_an_entry_with_every_threshold_at_1_is_warned_about() -> None:
    off = ", ".join(f"{category}: 1" for category in V2_CATEGORIES)
    text = GOOD.replace("\n        pii: 0.5", f" {{{off}}}")

    (idle,) = load_policy_text(text, "policy.yaml").warnings

    assert idle.startswith("policy.yaml:4: input[0].moderation_llm_v2: never blocks")
    assert not load_policy_text(text.replace("pii: 1", "pii: 0.9"), "policy.yaml").warnings


def test_the_default_policy_is_the_general_assistant() -> None:
    assert resolve_policy() == resolve_policy("general-assistant")
    assert resolve_policy().config.name == "general-assistant"


def test_a_name_is_a_shipped_policy_and_a_path_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)

    assert resolve_policy(str(path)).config.name == "mine"
    assert policy_path("general-assistant") == configs_directory() / "general-assistant.yaml"
    assert policy_path("./strict") == Path("./strict")
    assert policy_path("strict.yml") == Path("strict.yml")


@pytest.mark.parametrize("name", ["lax", "", "Strict", "a" * 300])
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(PolicyError, match=r"give one of .*general-assistant"):
        resolve_policy(name)


@pytest.mark.parametrize("text", [GOOD, GOOD * 20, GOOD + "# and/or\n"])
def test_a_policys_text_in_place_of_its_path_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^a policy is named or given as a path") as caught:
        resolve_policy(text)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mine", "mine.json", "mine.YAML"])
def test_a_file_that_is_taken_for_a_name_is_told_how_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(GOOD)

    with pytest.raises(PolicyError, match=rf"{name}: is no shipped policy; write \./{name} for"):
        resolve_policy(name)
    assert resolve_policy(f"./{name}").config.name == "mine"


def test_an_installed_package_brings_its_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "guardproxy" / "configs").mkdir(parents=True)
    (tmp_path / "guardproxy" / "policy").mkdir()
    monkeypatch.setattr(
        "guardproxy.policy.load.__file__", str(tmp_path / "guardproxy" / "policy" / "load.py")
    )

    assert configs_directory() == tmp_path / "guardproxy" / "configs"
    assert shipped_policies() == {}


@settings(max_examples=60)
@given(st.text(max_size=200) | st.text(alphabet="ab:- \n[]{}&*!|>'\"#%?,0.1", max_size=80))
def test_whatever_the_text_only_our_own_error_is_raised(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy_text(text, "policy.yaml")

    assert "\n" not in str(caught.value)
