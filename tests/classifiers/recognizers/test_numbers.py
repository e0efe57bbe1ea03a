"""Numbers with check digits: the right ones fire, one wrong digit does not."""

from __future__ import annotations

import pytest

from guardproxy.classifiers.recognizers import Kind, findings
from guardproxy.classifiers.recognizers.numbers import is_card, is_iban

IDS = {
    "United States": "536-90-4399",
    "France": "2 95 10 99 126 111 93",
    "Spain, citizen": "54362315K",
    "Spain, foreigner": "X-2482300-W",
    "Italy": "RCCMNL83S18D969H",
    "Germany": "36 574 261 809",
    "Germany, named": "Steuer-ID: 36574261809",
    "Brazil": "390.533.447-05",
    "Brazil, named": "CPF 39053344705",
    "Portugal, card": "00000000 0 ZZ4",
    "Portugal, card, named": "cartão de cidadão 071626390042",
    "Portugal, named": "NIF: 501964843",
    "South Korea": "971013-1019901",
    "China": "身份证360426199101010071号",
    "Russia, named": "ИНН 500100732259",
    "United Kingdom, named": "NHS number 943 476 5870",
    "India, named": "Aadhaar: 2341 2341 2346",
    "Switzerland": "756.9217.0769.85",
    "Belgium": "85.07.30-033.28",
    "Finland": "131052-308T",
    "Mexico": "BOXW310820HNERXN09",
    "Chile": "12.531.909-2",
    "Poland, named": "PESEL 44051401359",
    "Netherlands, named": "BSN 111222333",
}


def kinds(text: str) -> set[Kind]:
    return {finding.kind for finding in findings(text)}


@pytest.mark.parametrize("country", IDS)
def test_a_national_id_is_found(country: str) -> None:
    assert Kind.NATIONAL_ID in kinds(f"mine is {IDS[country]}, yes")


@pytest.mark.parametrize("country", [name for name in IDS if name != "United States"])
def test_a_national_id_with_one_wrong_digit_is_none(country: str) -> None:
    number = IDS[country]
    at = max(i for i, character in enumerate(number) if character.isdigit())
    wrong = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]

    assert Kind.NATIONAL_ID not in kinds(f"mine is {wrong}, yes")


@pytest.mark.parametrize("number", ["000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567"])
def test_a_social_security_number_nobody_has_is_none(number: str) -> None:
    assert Kind.NATIONAL_ID not in kinds(number)


@pytest.mark.parametrize(
    "number",
    [
        "36574261809",
        "39053344705",
        "501964843",
        "943 476 5870",
        "111222333",
        "071626390042",
        "202609091022",
        "20260909 1022",
        "2341 2341 2346",
        "2023 2024 2025",
    ],
)
def test_a_row_of_digits_needs_its_name(number: str) -> None:
    assert Kind.NATIONAL_ID not in kinds(f"order {number} has shipped")


@pytest.mark.parametrize(
    "number",
    [
        "4111 1111 1111 1111",
        "4012888888881881",
        "5555-5555-5555-4444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "6200000000000005",
        "2200 0000 0000 0004",
    ],
)
def test_a_card_is_found(number: str) -> None:
    assert Kind.CARD in kinds(f"pay with {number}.")


@pytest.mark.parametrize(
    "number",
    [
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "1234567812345670",
        "411111111111",
        "41111111111111111111",
        "4259073662585",
        "0.4111111111111111",
        "4111111111111111.5",
        "TXN4111111111111111",
        "17_4111111111111111_n",
        "4111 1111 1111 1111 2345",
        "2345 4111 1111 1111 1111",
        "4111, 1111, 1111, 1111",
        "| 4111 | 1111 | 1111 | 1111 |",
        "[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 7",
        "41 11 11 11 11 11 11 11",
    ],
)
def test_no_card(number: str) -> None:
    assert Kind.CARD not in kinds(f"pay with {number}.")


@pytest.mark.parametrize("card", ["4111111111111111", "4111 1111 1111 1111"])
@pytest.mark.parametrize(
    "form",
    ["{} 12/28", "{} 12/28 123", "{} 1228", "{} 1228 123", "{}-123", "+{}", "{}_visa", "7 {}"],
)
def test_a_card_is_found_whatever_stands_beside_it(card: str, form: str) -> None:
    assert Kind.CARD in kinds(f"ref {form.format(card)} ok")


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111.12",
        "0151 2345678 4111 1111 1111 1111",
        "4111 1111 1111 1111 5555 5555 5555 4444",
        "4111 11111 1111-111",
    ],
)
def test_a_card_is_found_among_other_groups(text: str) -> None:
    assert Kind.CARD in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111_1111_1111_1111",
        "4111\u00b71111\u00b71111\u00b71111",
        "`4111` `1111` `1111` `1111`",
        "**4111** **1111** **1111** **1111**",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1",
        "3782.822463.10005",
        "".join(f"{digit}\ufe0f\u20e3" for digit in "4111111111111111"),
    ],
)
def test_a_card_is_found_with_other_signs_between_its_digits(text: str) -> None:
    assert Kind.CARD in kinds(f"ref {text} ok")


LISTED = (
    "4111,1111,1111,1111",
    "| 4111 | 1111 | 1111 | 1111 |",
    '["4111","1111","1111","1111"]',
    "4111\t1111\t1111\t1111",
    "41 11 11 11 11 11 11 11",
    "[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
)


@pytest.mark.parametrize("numbers", LISTED)
def test_a_list_of_numbers_is_a_card_beside_a_word_that_says_so(numbers: str) -> None:
    assert Kind.CARD in kinds(f"my card: {numbers}")
    assert Kind.CARD in kinds(f"{numbers} is my card")
    assert Kind.CARD not in kinds(f"cardiology: {numbers}")


@pytest.mark.parametrize(
    "word",
    [
        "credit card",
        "card_number",
        "cardNo",
        "Visa",
        "Kreditkarte",
        "Kartennummer",
        "carte bancaire",
        "carta di credito",
        "tarjeta",
        "cartão",
        "карта",
        "卡号",
        "カード番号",
        "카드번호",
        "بطاقتي",
    ],
)
def test_a_card_is_named_in_every_language(word: str) -> None:
    assert Kind.CARD in kinds(f"{word} {LISTED[0]}")


def test_a_card_may_be_glued_to_its_name() -> None:
    assert Kind.CARD in kinds("visa4111111111111111")
    assert Kind.CARD in kinds("card_4111111111111111")


@pytest.mark.parametrize(
    "number",
    [
        "DE89370400440532013000",
        "DE89-3704-0044-0532-0130-00",
        "DE89.3704.0044.0532.0130.00",
        "GB82 WEST 1234 5698 7654 32",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NL91 ABNA 0417 1643 00",
        "NO93 8601 1117 947",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    ],
)
def test_an_account_is_found_whatever_follows(number: str) -> None:
    assert kinds(f"to {number}") == {Kind.IBAN}
    assert kinds(f"to {number} TODAY NOW 2024") == {Kind.IBAN}


@pytest.mark.parametrize(
    "number", ["DE88370400440532013000", "XX89370400440532013000", "DE8937040044053201300"]
)
def test_no_account(number: str) -> None:
    assert Kind.IBAN not in kinds(f"to {number}.")


def test_the_rules_can_be_asked_alone() -> None:
    assert is_card("4111-1111-1111-1111")
    assert is_iban("DE89 3704 0044 0532 0130 00")
    assert not is_iban("words only")
