"""How to reach somebody: e-mail and IP addresses, phone numbers."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import phonenumbers

from guardproxy.classifiers.recognizers.finding import Kind, Recognizer
from guardproxy.classifiers.recognizers.words import CHINESE_OR_PHONE, PHONE_WORDS

EMAIL_CONFIDENCE: Final = 0.95
PHONE_CONFIDENCE: Final = 0.95
IP_CONFIDENCE: Final = 0.4
"""A person's line or a server's: below the embedded model's default, above `pii-only`'s."""

_ROLES: Final = re.compile(
    r"abuse|accounts?|admin(?:istrator)?|billing|careers|contact|customerservice|dev"
    r"|do-?not-?reply|enquiries|events|feedback|hello|help(?:desk)?|hostmaster|hr|info|inquiries"
    r"|jobs|legal|mail(?:er-daemon)?|marketing|media|news(?:letter)?|no-?reply|notifications?"
    r"|office|orders|postmaster|press|privacy|root|sales|security|services?|shop|spam|staff"
    r"|support|team|webmaster"
    r"|centos|debian|deploy|ec2-user|fedora|git|gitea|gitlab|hg|jenkins|opc|svn|ubuntu|vagrant"
)
"""Mailboxes of an office, not of a person (RFC 2142 and custom), and accounts of machines."""

_NO_DOMAINS: Final = re.compile(
    r"example|invalid|local|localhost|test|internal|lan"  # RFC 2606 and 6761
    # Endings of files that follow an @ in code.
    r"|bmp|css|gif|html|ico|jpe?g|jsx?|json|md|pdf|png|py|scss|svg|tsx?|txt|vue|webp|xml|ya?ml"
)
"""Last labels that are no public domain."""

_SAMPLE_DOMAINS: Final = frozenset({"example.com", "example.net", "example.org"})
"""RFC 2606: for documents; nobody lives there."""


def is_personal_email(candidate: str) -> bool:
    """Whether it can be a person's address: a public domain, and not an office's mailbox."""
    local, _, domain = candidate.lower().rpartition("@")
    labels = domain.split(".")
    return (
        # `X@W.to`: one matrix times another, and what is done with it.
        not (len(local) == len(labels[0]) == 1 and len(labels) == 2)
        and len(domain) <= 253
        and not _NO_DOMAINS.fullmatch(labels[-1])
        and ".".join(labels[-2:]) not in _SAMPLE_DOMAINS
        and not is_office(local)
        and ".." not in local
        and not local.endswith(".")
    )


def is_office(local: str) -> bool:
    """Whether a mailbox, without its domain and in lower case, is a duty and not a person."""
    return _ROLES.fullmatch(local.partition("+")[0]) is not None


def is_public_ip(candidate: str) -> bool:
    """Whether it is an address on the public internet, no famous resolver, and no `1.2.3.4`.

    Four single digits are the version of something far more often than an address.
    """
    try:
        address = ipaddress.ip_address(candidate)
    except ValueError:
        return False
    if candidate.count(".") == 3 and len(candidate) == len("1.2.3.4"):
        return False
    return address.is_global and not address.is_multicast and candidate not in _RESOLVERS


_RESOLVERS: Final = frozenset(
    {
        "1.0.0.1",
        "1.1.1.1",
        "4.2.2.2",
        "8.8.4.4",
        "8.8.8.8",
        "9.9.9.9",
        "2001:4860:4860::8844",
        "2001:4860:4860::8888",
        "2606:4700:4700::1001",
        "2606:4700:4700::1111",
    }
)


def is_phone(candidate: str, region: str | None = None) -> bool:
    """Whether it is in a range the country has given out; `region` for numbers without `+`."""
    try:
        number = phonenumbers.parse(candidate, region)
    except phonenumbers.NumberParseException:
        return False
    kind = phonenumbers.number_type(number)
    return kind in _PERSONAL_LINES and phonenumbers.is_valid_number(number)


def begins_with_phone(candidate: str) -> bool:
    """Whether it is an international number, or one with another number or two behind it."""
    if is_phone(candidate):
        return True
    groups = [] if _THOUSANDS.fullmatch(candidate) else _GROUPS.findall(candidate)
    return any(is_phone("".join(groups[:-left])) for left in (1, 2) if left < len(groups))


_GROUPS: Final = re.compile(r"\D*\d+")
_THOUSANDS: Final = re.compile(r"\+\d{1,3}(?:\D\d{3})+")

_PERSONAL_LINES: Final = frozenset(
    {
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.VOIP,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
    }
)
"""Free-phone, premium and shared-cost numbers are a company's."""

_NATIONAL_PHONES: Final = {
    # Only forms whose punctuation or prefix is that country's own.
    "US": r"\([2-9]\d\d\) ?[2-9]\d\d-\d{4}|[2-9]\d\d-[2-9]\d\d-\d{4}",
    "GB": r"07\d{3} \d{3} ?\d{3}",
    "FR": r"0[1-79](?:[ .]\d\d){4}",
    "DE": r"01[5-7]\d{1,2}[ /-]\d{7,8}",
    "IT": r"3\d\d[ .]\d{3}[ .]?\d{4}",
    "ES": r"[67]\d\d \d\d \d\d \d\d",
    "BR": r"\([1-9]\d\) ?9\d{4}-\d{4}",
    "RU": r"8 ?\(9\d\d\) ?\d{3}-\d\d-\d\d|8[ -]9\d\d[ -]\d{3}[ -]\d\d[ -]\d\d",
    "CN": r"1[3-9]\d[ -]\d{4}[ -]\d{4}",
    "JP": r"0[789]0-\d{4}-\d{4}",
    "KR": r"01[016-9]-\d{3,4}-\d{4}",
    "EG": r"01[0125](?: \d{4} \d{4}|\d{8})",
    "SA": r"05\d \d{3} \d{4}",
}

_MONEY: Final = (
    r"[$\u00a3\u20ac%]|(?i:(?:d'|de )?(?:eur(?:os?)?|usd|dollars?|d[o\u00f3]lares|f?cfa|francs?"
    r"|francos|pesos?|reais|nok|sek|dkk|pln|czk|rub|users?|people|personas|pessoas|habit\w+)\b)"
)
_NAMED_PHONES: Final = {
    # What is also how millions and orders are written: a word about phones must stand near it.
    "ES": (rf"[67]\d\d \d{{3}} \d{{3}}(?! ?(?:{_MONEY}))", PHONE_WORDS),
    "PT": (rf"9[1236]\d \d{{3}} \d{{3}}(?! ?(?:{_MONEY}))", PHONE_WORDS),
    "CN": (r"1[3-9]\d{9}", CHINESE_OR_PHONE),
}

_ALONE: Final = r"(?<![\w.+/=-])(?:{})(?![\w=])(?![.-]\d)"
"""Not inside a word, a longer number, a path or a query."""


def _national(region: str, form: str, near: re.Pattern[str] | None = None) -> Recognizer:
    return Recognizer(
        Kind.PHONE,
        PHONE_CONFIDENCE,
        re.compile(_ALONE.format(form), re.ASCII),
        lambda candidate: is_phone(candidate, region),
        digits=True,
        near=near,
    )


CONTACTS: Final[tuple[Recognizer, ...]] = (
    Recognizer(
        Kind.EMAIL,
        EMAIL_CONFIDENCE,
        # The look-behind lets a run of letters be tried once, not from each of its letters.
        re.compile(
            r"(?<![A-Za-z0-9._%+'-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}+"
            r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
            # A method is called with a bracket; behind usual domains it opens a remark.
            r"(?!(?<!\.\w\w)(?<!\.(?:com|net|org|edu|gov))\(|(?:\.\w{1,64}){1,3}\()"
        ),
        is_personal_email,
        trigger="@",
    ),
    Recognizer(
        Kind.PHONE,
        PHONE_CONFIDENCE,
        re.compile(r"(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){6,14}(?!\d)", re.ASCII),
        begins_with_phone,
        trigger="+",
        digits=True,
    ),
    *(_national(region, form) for region, form in _NATIONAL_PHONES.items()),
    *(_national(region, form, near) for region, (form, near) in _NAMED_PHONES.items()),
    Recognizer(
        Kind.IP_ADDRESS,
        IP_CONFIDENCE,
        # Not `v1.2.3.4`, not a part of a longer version, not the start of a name.
        re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-])(?!\.\w)", re.ASCII),
        is_public_ip,
        trigger=".",
        digits=True,
    ),
    Recognizer(
        Kind.IP_ADDRESS,
        IP_CONFIDENCE,
        re.compile(
            r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:{1,2}){3,7}[0-9A-Fa-f]{1,4}(?![\w:])", re.ASCII
        ),
        is_public_ip,
        trigger=":",
        digits=True,
    ),
)
