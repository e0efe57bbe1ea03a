"""Numbers given to one person, with check digits: cards, accounts, national ids.

Only numbers whose form and check together fire rarely by chance. A form that is just a row of
digits with one check digit (ten per cent of all rows pass) counts only where its name stands near
it, and so does a card whose groups stand like the numbers of a list or a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from stdnum import iban, luhn
from stdnum.be import nn as be_nn
from stdnum.br import cpf as br_cpf
from stdnum.ch import ssn as ch_ssn
from stdnum.cl import rut as cl_rut
from stdnum.cn import ric as cn_ric
from stdnum.de import idnr as de_idnr
from stdnum.es import dni as es_dni
from stdnum.es import nie as es_nie
from stdnum.fi import hetu as fi_hetu
from stdnum.fr import nir as fr_nir
from stdnum.gb import nhs as gb_nhs
from stdnum.in_ import aadhaar as in_aadhaar
from stdnum.it import codicefiscale as it_codicefiscale
from stdnum.kr import rrn as kr_rrn
from stdnum.mx import curp as mx_curp
from stdnum.nl import bsn as nl_bsn
from stdnum.pl import pesel as pl_pesel
from stdnum.pt import cc as pt_cc
from stdnum.pt import nif as pt_nif
from stdnum.ru import inn as ru_inn
from stdnum.us import ssn as us_ssn

from guardproxy.classifiers.recognizers.finding import Kind, Recognizer
from guardproxy.classifiers.recognizers.words import AADHAAR_WORDS, CARD_WORDS

CARD_CONFIDENCE: Final = 0.99
IBAN_CONFIDENCE: Final = 0.99
ID_CONFIDENCE: Final = 0.98

_CARD_RANGES: Final = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa; those of 13 digits are long gone, and barcodes begin so
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|220[0-4]\d{12}"  # Mir
)


_NOT_DIGITS: Final = re.compile(r"\D+")


def is_card(candidate: str) -> bool:
    """A length and first digits some network issues, and a right last digit (ISO/IEC 7812)."""
    digits = _NOT_DIGITS.sub("", candidate)
    return _CARD_RANGES.fullmatch(digits) is not None and bool(luhn.is_valid(digits))


def begins_with_card(candidate: str) -> bool:
    """Whether it is a card, or in groups of four several, or one with its expiry or code behind."""
    if is_card(candidate):
        return True
    if not _FOURS.match(candidate):
        return False
    digits = _NOT_DIGITS.sub("", candidate)
    if len(digits) > 19 and _EXPIRY.match(digits, 16):
        return len(digits) <= 23 and is_card(digits[:16])
    fours = digits[: len(digits) - len(digits) % 4]
    return len(fours) % 16 == 0 and all(
        is_card(fours[at : at + 16]) for at in range(0, len(fours), 16)
    )


_FOURS: Final = re.compile(r"\d{4}\D")
_EXPIRY: Final = re.compile(r"(?:0[1-9]|1[0-2])\d\d")


def _layouts(separator: str, name: str) -> Iterator[str]:
    """How the digits of cards are grouped, with one separator all along; whole rows of groups.

    Five numbers in a row are a table, unless the fifth is an expiry: so the row is looked at whole.
    """
    pair = rf"\d{{4}}(?P<{name}4>{separator})\d{{4}}(?!\d)"
    yield rf"{pair}(?:(?P={name}4)\d{{4}}(?!\d)){{2,}}+(?:(?P={name}4)\d{{1,3}}(?!\d))?"
    yield rf"\d{{4}}(?P<{name}6>{separator})\d{{6}}(?P={name}6)\d{{4,5}}(?!\d)"
    yield rf"\d(?P<{name}1>{separator})\d(?!\d)(?:(?P={name}1)\d(?!\d)){{12,}}+"


# Signs that seldom stand between the numbers of a list, mark-up around each group, keycaps.
_BETWEEN: Final = (
    r"(?:[ ./_\u00b7\u2022\u2027\u2219\u22c5\u30fb-]|[*_`~]{1,3} ?[*_`~]{1,3}|\ufe0f?\u20e3 ?)"
)
_UNBROKEN: Final = r"\d{14,19}(?!\d)"
_GROUPED: Final = "|".join(_layouts(_BETWEEN, "between"))
_LISTED: Final = "|".join(
    (
        *_layouts(r"[\W_]{1,8}", "listed"),
        r"\d\d(?P<pairs>[\W_]{1,8})\d\d(?:(?P=pairs)\d\d(?!\d)){6}",
        _UNBROKEN,
    )
)
_CARD: Final = re.compile(
    r"(?<![A-Za-z0-9.-])(?<![A-Za-z0-9]_)"  # not inside a word, a fraction or an id
    # Behind an unbroken row a security code, but no more of an id.
    rf"(?:{_UNBROKEN}(?!\.\d|_\d|-(?!\d{{3,4}}(?![\w-])))|(?:{_GROUPED})(?!-[A-Za-z]))(?![A-Za-z0-9])",
    re.ASCII,
)
_ODDLY_GROUPED: Final = re.compile(
    # No part of a longer row of numbers.
    r"(?<![\w.+-])(?<!\d )\d{4}(?:[ -]?\d{2,6}){2,4}(?![\w-]| \d)(?!\.\d)",
    re.ASCII,
)


def is_oddly_grouped_card(candidate: str) -> bool:
    """Whether all of it is a card, in groups that `_CARD` does not know."""
    return is_card(candidate) and not _CARD.fullmatch(candidate)


def is_iban(candidate: str) -> bool:
    """An account number as its country builds it, with right check digits (ISO 13616).

    The candidate may have caught words that follow; they are left away one by one.
    """
    words = _NOT_IBAN.split(candidate)
    while words:
        if iban.is_valid("".join(words), check_country=False):
            return True
        words.pop()
    return False


_NOT_IBAN: Final = re.compile(r"[^A-Z0-9]+")


def _national_id(
    form: str,
    accepts: Callable[[str], bool],
    name: str = "",
    near: re.Pattern[str] | None = None,
) -> Recognizer:
    """A national id of a form; if it has a `name`, that must stand shortly before it."""
    named = rf"(?i:{name})[^\n0-9]{{0,24}}?" if name else ""
    return Recognizer(
        Kind.NATIONAL_ID,
        ID_CONFIDENCE,
        re.compile(rf"(?<![A-Za-z0-9_./-]){named}(?P<it>{form})(?![A-Za-z0-9_-])(?!\.\d)"),
        accepts,
        digits=True,
        near=near,
    )


NUMBERS: Final[tuple[Recognizer, ...]] = (
    Recognizer(
        Kind.IBAN,
        IBAN_CONFIDENCE,
        re.compile(
            r"(?<![A-Za-z0-9])[A-Z]{2}\d\d"
            r"(?:[ ./_*|`\u00b7-]{0,5}[A-Z0-9]{4}){2,7}(?:[ ./_*|`\u00b7-]{0,5}[A-Z0-9]{1,4})?"
            r"(?![A-Za-z0-9])"
        ),
        is_iban,
        digits=True,
    ),
    Recognizer(Kind.CARD, CARD_CONFIDENCE, _CARD, begins_with_card, digits=True),
    Recognizer(Kind.CARD, CARD_CONFIDENCE, _ODDLY_GROUPED, is_oddly_grouped_card, digits=True),
    Recognizer(
        Kind.CARD,
        CARD_CONFIDENCE,
        re.compile(rf"(?<!\d)(?:{_LISTED})"),
        begins_with_card,
        digits=True,
        near=CARD_WORDS,
    ),
    _national_id(r"\d{3}-\d{2}-\d{4}", us_ssn.is_valid),
    _national_id(r"[12] ?\d\d ?[01]\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d", fr_nir.is_valid),
    _national_id(r"\d{8}[ -]?[A-HJ-NP-TV-Z]", es_dni.is_valid),
    _national_id(r"[XYZ][ -]?\d{7}[ -]?[A-HJ-NP-TV-Z]", es_nie.is_valid),
    _national_id(
        r"(?i:[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])",
        it_codicefiscale.is_valid,
    ),
    _national_id(r"\d{2} \d{3} \d{3} \d{3}", de_idnr.is_valid),
    _national_id(r"\d{11}", de_idnr.is_valid, name=r"steuer-?id\w*|idnr\.?|steuerliche id\w+"),
    _national_id(r"\d{3}\.\d{3}\.\d{3}-\d{2}", br_cpf.is_valid),
    _national_id(r"\d{11}", br_cpf.is_valid, name="cpf"),
    # The first card has version ZZ, the next ZY; twelve digits may be anything.
    _national_id(r"\d{8} ?\d ?Z[A-Z]\d", pt_cc.is_valid),
    _national_id(
        r"\d{8} ?\d ?[A-Z0-9]{2}\d",
        pt_cc.is_valid,
        name=r"cart[ãa]o d[eo] cidad[ãa]o|citizen card",
    ),
    _national_id(r"\d{9}", pt_nif.is_valid, name="nif|contribuinte"),
    _national_id(r"\d{6}-[1-8]\d{6}", kr_rrn.is_valid),
    _national_id(r"[1-9]\d{5}(?:19|20)\d{9}[\dXx]", cn_ric.is_valid),
    _national_id(r"\d{12}", ru_inn.is_valid, name="инн"),
    _national_id(r"\d{3} ?\d{3} ?\d{4}", gb_nhs.is_valid, name="nhs"),
    _national_id(r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", in_aadhaar.is_valid, near=AADHAAR_WORDS),
    _national_id(r"756\.\d{4}\.\d{4}\.\d{2}", ch_ssn.is_valid),
    _national_id(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", be_nn.is_valid),
    _national_id(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", fi_hetu.is_valid),
    _national_id(r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", mx_curp.is_valid),
    _national_id(r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]", cl_rut.is_valid),
    _national_id(r"\d{11}", pl_pesel.is_valid, name="pesel"),
    _national_id(r"\d{9}", nl_bsn.is_valid, name="bsn|burgerservicenummer"),
)
