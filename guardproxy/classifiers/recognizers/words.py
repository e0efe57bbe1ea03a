"""Words that say what a number is, in the languages of the embedded model.

What is written without spaces between words, or with endings and articles joined to it, counts
anywhere; the rest counts as a whole word.
"""

from __future__ import annotations

import re
from typing import Final


def _words(whole: str, anywhere: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])(?:{whole})(?![^\W\d_])|{anywhere}", re.IGNORECASE)


CARD_WORDS: Final = _words(
    r"visa|amex|maestro|cartes?|cb|cart[ãa]o|cart[õo]es|cvv|cvc|pan",
    r"cards?(?![a-z])|card[ _-]?n|master ?card|american express|union ?pay|diners ?club"
    r"|karten?(?![a-z])|karten-?n|cart[ae] di |carta n|tarjeta|карт[аеуойы]"
    r"|卡|银联|カード|카드|بطاق",
)
PHONE_WORDS: Final = _words(
    r"tel|tels|fon|cell|mobiles?|call|calls|dial|text|sms|whats ?app|reach|contact[oa]?|contato"
    r"|portable|joindre|appel(?:le|ez|er|ons)(?:-[a-z]{2,4})?|num[ée]ro de t[ée]l"
    r"|anrufen?|ruf|ruft|erreichbar|cellulare|chiam(?:a|ami|ate|are|atemi)"
    r"|m[óo]vil(?:es)?|celular(?:es)?|ll[áa]m(?:a|ame|adme|ar|ame|enos|anos|e)"
    r"|telem[óo]ve(?:l|is)|lig(?:a|ue|uem|ar|ou)(?:-me|-nos)?"
    r"|(?:my|mi|meu|mon|meine?|mio) n[uúù]m[a-zéê]*"
    r"|тел|моб|номер телефона|(?:по)?звони(?:те|ть)?|ватсап",
    r"t[eéè]l[eéè]?(?:phone|fone|fono|fon)s?(?![a-zé])|phone(?![a-z])|phone[ _-]?n|telefonn"
    r"|handy(?:n|(?![a-z]))|mobil(?:n|telefon|funk)|телефон(?!н)|мобильн"
    r"|电话|電話|手机|手機|致电|致電|拨打|撥打|联系|聯繫|短信|微信|携帯|連絡先"
    r"|전화|휴대|핸드폰|연락처|هاتف|جوال|موبايل|اتصل|تلفون",
)
CHINESE_OR_PHONE: Final = re.compile(rf"[\u4e00-\u9fff]|{PHONE_WORDS.pattern}", re.IGNORECASE)
"""Eleven digits of a mobile number among Chinese words are hardly anything else."""

AWS_WORDS: Final = re.compile(
    r"aws|secret[_ -]?(?:access[_ -]?)?key|access[_ -]?key", re.IGNORECASE
)

AADHAAR_WORDS: Final = _words("uid|uidai", "aa?dha+r|आधार")
